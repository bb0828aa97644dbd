// Copyright (c) 2026 Gatehouse maintainers
// GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The contrast of each visible text with what is behind it, as WCAG 2 reckons it.

function parts(colour) {
  return colour.match(/[\d.]+/g).map(Number);
}

function luminance(colour) {
  const [red, green, blue] = parts(colour).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function behind(element) {
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if (parts(colour)[3] !== 0) return colour;
  }
  return "rgb(255, 255, 255)";
}

function contrast(element) {
  const style = getComputedStyle(element);
  const letters = element instanceof SVGElement ? style.fill : style.color;
  const [low, high] = [luminance(letters), luminance(behind(element))].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
}

const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const text = walker.currentNode.textContent.trim();
  const isSeen = element.checkVisibility() && element.tagName !== "title";
  if (text && isSeen) found.push({ text, contrast: contrast(element) });
}
return found;
