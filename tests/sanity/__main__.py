# Copyright (c) 2026 Gatehouse maintainers
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Galaxy's importer, `ansible-test sanity`, and some unit tests, as the collection would be installed.

ansible-test wants a real folder `ansible_collections/gatehouse/ollama`, so the collection is built and installed into
one below build/. It runs with the ansible-core of .venv, with every test and no ignore file. Where the machine has
Python 3.12 or newer, the newest ansible-core says as well whether it can read and load what we have; style is judged
once, which takes as long as all of that.

The importer is what Galaxy judges each upload with. It runs with Galaxy's own settings, and a warning fails it, too.

Usage: python -m tests.sanity
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "sanity"
NEWEST = ROOT / "build" / "newest"

# What depends on the ansible-core that reads it.
NEWER = ("action-plugin-docs", "ansible-doc", "compile", "import", "runtime-metadata", "validate-modules")

# ansible-test fetches a script that puts pip into its virtual environments, of which it makes a dozen. This one has the
# pip beside ansible-test do it, so that the run needs a package index and nothing else, and takes a third of the time.
GET_PIP = """\
import os
import subprocess
import sys

os.environ.pop("PIP_CONFIG_FILE", None)
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call(["{python}", "-m", "pip", "--python", sys.executable, "install"] + wanted))
"""


def newest_python() -> Path | None:
    """The newest interpreter from 3.12 to 3.14, on PATH or among pyenv's, or None."""
    for minor in (14, 13, 12):
        candidates = sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}"))
        on_path = shutil.which(f"python3.{minor}")
        if on_path and "shims" not in on_path:
            candidates.append(Path(on_path))
        if candidates:
            return candidates[-1]
    return None


def newest_venv() -> Path | None:
    """A virtual environment with the newest ansible-core, made when it is missing, or None without an interpreter."""
    python = newest_python()
    if python is None:
        return None
    requirements = ROOT / "tests" / "requirements-newest.txt"
    stamp = NEWEST / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        subprocess.run([python, "-m", "venv", "--clear", NEWEST], check=True)
        subprocess.run([NEWEST / "bin" / "pip", "install", "--quiet", "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    return NEWEST


def install_tree() -> tuple[Path, Path]:
    """Build the collection and install it below build/, as a user does; return its archive and where it is."""
    shutil.rmtree(BUILD / "ansible_collections", ignore_errors=True)
    galaxy = [str(ROOT / ".venv" / "bin" / "ansible-galaxy"), "collection"]
    build = [*galaxy, "build", str(ROOT), "--force", "--output-path", str(BUILD)]
    built = subprocess.check_output(build, cwd=ROOT, text=True).strip().rpartition(" ")[2]
    subprocess.run([*galaxy, "install", built, "-p", str(BUILD), "--offline", "--force"], check=True)
    tree = BUILD / "ansible_collections" / "gatehouse" / "ollama"
    # A repository of its own, or ansible-test asks the one around it, where build/ is ignored. Its own output is no
    # part of the collection.
    (tree / ".gitignore").write_text("/tests/output/\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
    subprocess.run(["git", "add", "--all"], cwd=tree, check=True)
    return Path(built), tree


def imported(archive: Path) -> int:
    """Have Galaxy's importer judge the archive; return 1 if it refuses it or warns of anything."""
    print("== Galaxy's importer ==", flush=True)
    path = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ["PATH"]])
    python = ROOT / ".venv" / "bin" / "python"
    # Before whatever else is tested now: it gives ansible-lint three minutes and no more.
    command: list[str | Path] = ["nice", "--adjustment=-10", python, "-m", "galaxy_importer.main", archive]
    done = subprocess.run(
        command,
        cwd=BUILD,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # What it says of each plugin that it loads is no news.
    said = [line for line in done.stdout.splitlines() if not line.startswith("Loading ")]
    print(*said, sep="\n", flush=True)
    wrong = [line for line in said if line.startswith(("WARNING", "ERROR", "CRITICAL"))]
    return int(done.returncode != 0 or wrong != [] or not any("completed successfully" in line for line in said))


def pip_version(venv: Path) -> str:
    """The version of pip that the ansible-test of `venv` asks for, as it stands in the name of its script."""
    (source,) = venv.glob("lib/python3.*/site-packages/ansible_test/_internal/python_requirements.py")
    found = re.search(r"pip='([\d.]+)'", source.read_text())
    if found is None:
        raise SystemExit(f"{source} does not say which version of pip it wants")
    return found.group(1).replace(".", "_")


def environment(venv: Path, home: Path) -> dict[str, str]:
    """A home of its own for ansible-test, with the caller's pip settings, and real interpreters only on PATH."""
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{pip_version(venv)}.py").write_text(GET_PIP.format(python=venv / "bin" / "python"))
    caller = Path.home() / ".config" / "pip" / "pip.conf"
    if caller.exists():
        (home / ".config" / "pip").mkdir(parents=True, exist_ok=True)
        shutil.copy2(caller, home / ".config" / "pip" / "pip.conf")
    path = [str(venv / "bin"), *(p for p in os.environ["PATH"].split(os.pathsep) if "shims" not in p)]
    return {**os.environ, "HOME": str(home), "PATH": os.pathsep.join(path)}


def sanity(venv: Path, tree: Path, tests: tuple[str, ...] = ()) -> int:
    """Run these sanity tests, or all, on `tree` with the ansible-core of `venv`; return ansible-test's exit code."""
    show_version = "import sys; print('%d.%d' % sys.version_info[:2])"
    version = subprocess.check_output([venv / "bin" / "python", "-c", show_version], text=True).strip()
    print(f"== ansible-test sanity, Python {version} ==", flush=True)
    command: list[str | Path] = [
        venv / "bin" / "ansible-test",
        "sanity",
        "--venv",
        "--python",
        version,
        "--color",
        "no",
        *(word for test in tests for word in ("--test", test)),
    ]
    return subprocess.run(command, cwd=tree, env=environment(venv, BUILD / f"home{version}"), check=False).returncode


def main() -> int:
    archive, tree = install_tree()
    failed = imported(archive) | sanity(ROOT / ".venv", tree)
    newest = newest_venv()
    if newest is None:
        print("No Python 3.12 or newer on this machine: the newest ansible-core is left out.")
        return failed
    print("== unit tests of what speaks to Ansible, newest ansible-core ==", flush=True)
    spread = [f"--numprocesses={os.cpu_count()}", "--dist=worksteal"]
    folders = [f"tests/unit/plugins/{folder}" for folder in ("action", "plugin_utils")]
    tests: list[str | Path] = [newest / "bin" / "pytest", "-q", *spread, *folders]
    failed |= subprocess.run(tests, cwd=ROOT, check=False).returncode
    return failed | sanity(newest, tree, NEWER)


if __name__ == "__main__":
    sys.exit(main())
