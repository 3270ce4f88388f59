// The little Markdown that Outlook understands in a TextBlock: bold, italic, links and lists. Everything else is text.

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function toHtml(text) {
  const blocks = [];
  for (const line of text.split(/\r?\n/)) {
    const [, bullet, number, rest] = /^\s*(?:([-*])|(\d+)\.)\s+(.*)$/.exec(line) ?? [];
    const kind = bullet ? "ul" : number ? "ol" : "p";
    const html = inline(rest ?? line);
    const last = blocks.at(-1);
    if (kind !== "p" && last?.kind === kind) last.lines.push(html);
    else blocks.push({ kind, lines: [html] });
  }
  return blocks.map(toBlock).join("");
}

function toBlock({ kind, lines }) {
  return kind === "p" ? `<p>${lines[0]}</p>` : `<${kind}>${lines.map((line) => `<li>${line}</li>`).join("")}</${kind}>`;
}

function inline(text) {
  return text
    .replace(/[&<>"']/g, (character) => ESCAPES[character])
    .replace(/\[([^\]]+)\]\((https?:\/\/[^\s)]+|mailto:[^\s)]+)\)/g, '<a href="$2" target="_blank" rel="noopener">$1</a>')
    .replace(/\*\*(?=\S)(.+?)\*\*/g, "<strong>$1</strong>")
    .replace(/(^|[^\w*])[*_](?=\S)([^*_]+?)[*_](?!\w)/g, "$1<em>$2</em>");
}
