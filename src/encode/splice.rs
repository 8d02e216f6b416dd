//! Puts an event together from pieces of its own bytes and what is added: first the plan and its
//! exact length, then the copy.

use crate::record::Span;

/// Where a piece's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Store {
    /// The event as it came.
    Event,
    /// Fragments that were rendered once.
    Kept,
    /// What was written for this event alone.
    Scratch,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    store: Store,
    span: Span,
}

/// The event's bytes from `span.start` to `span.end` make way for pieces.
#[derive(Clone, Copy, Debug)]
struct Edit {
    span: Span,
    pieces: (u32, u32),
    /// The pieces begin with a comma and go into an object or array that has nothing in it.
    into_empty: bool,
}

/// The plan of one event. Made once per worker; it keeps its memory from event to event.
#[derive(Debug, Default)]
pub(super) struct Splice {
    scratch: Vec<u8>,
    /// The pieces of all edits, in the order in which they were planned.
    added: Vec<Piece>,
    edits: Vec<Edit>,
    /// Where the pieces of the edit begin that is being planned.
    begun: usize,
    /// The whole output.
    output: Vec<Piece>,
}

impl Splice {
    /// Forgets the last event.
    pub(super) fn clear(&mut self) {
        self.scratch.clear();
        self.added.clear();
        self.edits.clear();
        self.output.clear();
        self.begun = 0;
    }

    /// Adds bytes that are written for this event alone.
    pub(super) fn text(&mut self, bytes: &[u8]) {
        self.write(|scratch| scratch.extend_from_slice(bytes));
    }

    /// The same, by a function that appends them.
    pub(super) fn write(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        let start = self.scratch.len() as u32;
        append(&mut self.scratch);
        let span = Span { start, end: self.scratch.len() as u32 };
        push(&mut self.added, self.begun, Piece { store: Store::Scratch, span });
    }

    /// Adds a piece of the rendered fragments.
    pub(super) fn kept(&mut self, span: Span) {
        push(&mut self.added, self.begun, Piece { store: Store::Kept, span });
    }

    /// What was added since the last edit goes behind the last member of the object or array whose
    /// closing bracket stands at `close`. It begins with a comma, which is left out where there is
    /// no member yet.
    pub(super) fn insert_before(&mut self, event: &[u8], close: u32) {
        let inside = event.get(..close as usize).unwrap_or_default().trim_ascii_end();
        let at = inside.len() as u32;
        let into_empty = matches!(inside.last(), Some(b'{' | b'['));
        self.edit(Span { start: at, end: at }, into_empty);
    }

    /// What was added since the last edit stands for the event's bytes in `span`.
    pub(super) fn replace(&mut self, span: Span) {
        self.edit(span, false);
    }

    fn edit(&mut self, span: Span, into_empty: bool) {
        let pieces = (self.begun as u32, self.added.len() as u32);
        if pieces.0 < pieces.1 {
            self.edits.push(Edit { span, pieces, into_empty });
        }
        self.begun = self.added.len();
    }

    /// Brings the edits into the order of the event; the output's length in bytes.
    ///
    /// An edit inside of what another one replaces has lost its place and is left out.
    pub(super) fn finish(&mut self, event_len: usize) -> usize {
        self.edits.sort_unstable_by_key(|edit| (edit.span.start, edit.pieces.0));
        let mut copied = 0;
        let mut filled = None;
        let mut len = event_len as u32;
        for edit in &self.edits {
            if edit.span.start < copied {
                continue;
            }
            let original = Span { start: copied, end: edit.span.start };
            len -= edit.span.end - edit.span.start;
            push(&mut self.output, 0, Piece { store: Store::Event, span: original });
            let pieces = &self.added[edit.pieces.0 as usize..edit.pieces.1 as usize];
            let bare = edit.into_empty && filled != Some(edit.span.start);
            for (nth, piece) in pieces.iter().enumerate() {
                let mut piece = *piece;
                piece.span.start += u32::from(bare && nth == 0);
                len += piece.span.end - piece.span.start;
                push(&mut self.output, 0, piece);
            }
            filled = Some(edit.span.start);
            copied = edit.span.end;
        }
        let rest = Span { start: copied, end: event_len as u32 };
        push(&mut self.output, 0, Piece { store: Store::Event, span: rest });
        len as usize
    }

    /// Which bytes of the output are not the event's.
    #[cfg(test)]
    pub(super) fn added(&self) -> Vec<std::ops::Range<usize>> {
        let mut at = 0;
        let mut added = Vec::new();
        for piece in &self.output {
            let end = at + (piece.span.end - piece.span.start) as usize;
            if piece.store != Store::Event {
                added.push(at..end);
            }
            at = end;
        }
        added
    }

    /// Copies the pieces into `out`, which has exactly the planned length.
    pub(super) fn copy(&self, event: &[u8], kept: &[u8], out: &mut [u8]) {
        let mut rest = out;
        for piece in &self.output {
            let store = match piece.store {
                Store::Event => event,
                Store::Kept => kept,
                Store::Scratch => &self.scratch,
            };
            let bytes = &store[piece.span.start as usize..piece.span.end as usize];
            let (head, tail) = rest.split_at_mut(bytes.len());
            head.copy_from_slice(bytes);
            rest = tail;
        }
    }
}

/// Adds a piece, or lengthens the one before it (from `floor` on) where the bytes adjoin.
fn push(pieces: &mut Vec<Piece>, floor: usize, piece: Piece) {
    if piece.span.start == piece.span.end {
        return;
    }
    match pieces[floor..].last_mut() {
        Some(last) if last.store == piece.store && last.span.end == piece.span.start => {
            last.span.end = piece.span.end;
        }
        _ => pieces.push(piece),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(splice: &mut Splice, event: &[u8]) -> String {
        let mut out = vec![0; splice.finish(event.len())];
        splice.copy(event, b",kept", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn edits_come_out_in_the_order_of_the_event_whatever_the_order_of_planning() {
        let event = b"{\"a\": { } , \"b\":[1 ] }";
        let mut splice = Splice::default();
        splice.text(b",9");
        splice.insert_before(event, 21);
        splice.text(b",2");
        splice.insert_before(event, 19);
        splice.text(b",3");
        splice.insert_before(event, 8);
        splice.kept(Span { start: 0, end: 5 });
        splice.insert_before(event, 8);
        assert_eq!(done(&mut splice, event), "{\"a\": {3,kept } , \"b\":[1,2 ],9 }");
    }

    #[test]
    fn an_edit_inside_of_what_is_replaced_is_left_out() {
        let event = b"{\"a\":{\"b\":{}}}";
        let mut splice = Splice::default();
        splice.text(b",1");
        splice.insert_before(event, 11);
        splice.text(b"7");
        splice.replace(Span { start: 5, end: 13 });
        assert_eq!(done(&mut splice, event), "{\"a\":7}");
    }

    #[test]
    fn without_edits_the_event_comes_out_as_it_is() {
        assert_eq!(done(&mut Splice::default(), b" {} "), " {} ");
    }
}
