// Search in all that a span says. The text of a span is put together once, when it is first asked for.

class Search {
  constructor(spans) {
    this.spans = spans;
    this.texts = new Array(spans.length);
  }

  text(place) {
    return (this.texts[place] ??= plain(this.spans[place]));
  }

  // The places whose text holds every word, in the order of the tree.
  find(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return null;
    const found = [];
    this.spans.forEach((_, place) => {
      const text = this.text(place);
      if (words.every((word) => text.includes(word))) found.push(place);
    });
    return found;
  }
}

function plain(span) {
  const said = (attributes) => Object.entries(attributes).map(([key, value]) => `${key} ${oneLine(value)}`);
  const notes = [...span.events, ...span.links].flatMap((note) => [note.name, ...said(note.attributes)]);
  return [span.name, KINDS[span.kind][1], span.mark ?? "", span.status, span.span_id, span.scope, ...said(span.attributes), ...notes]
    .join("\n").toLowerCase();
}
