// Runs in the report's page in tests, and writes what is wrong with it, a line each, to the end of the document: contrast as
// WCAG 2.1 asks for (AA), names of pictures, the order of headings, and whether the page is wider than the screen.
window.addEventListener("load", () => {
  const wrong = [];
  const parse = (colour) => {
    const parts = colour.match(/[\d.]+/g).map(Number);
    return parts.length > 3 ? parts : [...parts, 1];
  };
  const over = (top, below) => {
    const [r, g, b, a] = top;
    return [r, g, b].map((value, at) => value * a + below[at] * (1 - a));
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => {
      const share = value / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.push(parse(getComputedStyle(at).backgroundColor));
    }
    // Where nothing is said, the canvas of the scheme.
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return layers.reverse().reduce((below, top) => over(top, below), dark ? [18, 18, 18] : [255, 255, 255]);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("title, script, desc")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    if (!range.getClientRects().length) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const below = background(element);
    const colour = over(parse(element instanceof SVGElement ? style.fill : style.color), below);
    const [light, dark] = [luminance(colour), luminance(below)].sort((one, other) => other - one);
    const contrast = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (isLarge ? 3 : 4.5)) {
      wrong.push(`contrast ${contrast.toFixed(2)}: <${element.tagName.toLowerCase()} class="${element.getAttribute("class")}"> ${node.data.trim().slice(0, 40)}`);
    }
  }
  for (const picture of document.querySelectorAll("img")) {
    if (!picture.alt) wrong.push(`a picture without words: ${picture.src}`);
    if (!picture.naturalWidth) wrong.push(`a picture that is not there: ${picture.src}`);
  }
  for (const drawing of document.querySelectorAll("svg[role=img]")) {
    if (!drawing.querySelector("title")?.textContent && !drawing.getAttribute("aria-label")) wrong.push("a drawing without words");
  }
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) wrong.push(`${heading.textContent} is a heading below none of its own`);
    level = own;
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("a name is there twice");
  for (const scroller of document.querySelectorAll(".scroll, pre")) {
    if (scroller.scrollWidth > scroller.clientWidth + 1 && scroller.tabIndex < 0) {
      wrong.push("what scrolls cannot be reached by the keyboard");
    }
  }
  if (!document.documentElement.lang) wrong.push("no language is named");
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) wrong.push(`the page is ${wide} pixels wide on a screen of ${innerWidth}`);
  const found = document.createElement("pre");
  found.id = "checked";
  found.textContent = [`${texts} texts`, ...wrong].join("\n");
  document.body.append(found);
});
