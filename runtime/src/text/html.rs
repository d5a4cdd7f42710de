//! Removes HTML for the tokenizer `html_words`: [`Tags`] become spaces, [`Entities`] become characters.

use crate::state_codec::StateCodec;

/// The length of the buffer of [`Tags`]: the largest number of characters of a tag between its `<` and its `>`, which
/// are a slash, the first letter and [`CONTENT`] more.
pub(super) const BUFFER: usize = CONTENT + 2;
/// The largest number of characters of a tag after its first letter. It bounds the memory for a `<` without a `>`.
const CONTENT: usize = 125;

/// Replaces each tag, `</?[A-Za-z!][^<>]{0,125}>`, by a space. Text that only begins like a tag is kept.
#[derive(Debug)]
pub(super) struct Tags<'b> {
    /// The characters after a `<`, buffered until it is clear whether they are a tag. `[BUFFER]`
    buffer: &'b mut [i32],
    /// The number of buffered characters.
    length: usize,
    state: State,
}

/// The part of a possible tag that has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Outside of tags.
    Text,
    /// After `<`.
    Open,
    /// After `</`.
    Slash,
    /// After the first letter (or `!`), with the number of characters that may still follow before the `>`.
    Content(usize),
}

impl<'b> Tags<'b> {
    pub(super) fn new(buffer: &'b mut [i32]) -> Self {
        Tags { buffer, length: 0, state: State::Text }
    }

    pub(super) fn reset(&mut self) {
        (self.length, self.state) = (0, State::Text);
    }

    /// Passes the beginning of a possible tag through the codec: a number for its state (0 text, 1 after `<`, 2 after
    /// `</`, 3 + n in the content with room for n characters), then the buffered characters.
    pub(super) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        let state = codec.byte(match self.state {
            State::Text => 0,
            State::Open => 1,
            State::Slash => 2,
            State::Content(room) => 3 + room as u8,
        });
        self.state = match state {
            0 => State::Text,
            1 => State::Open,
            2 => State::Slash,
            _ => State::Content(usize::from(state) - 3),
        };
        self.length = codec.byte(self.length as u8).into();
        codec.check(usize::from(state) <= 3 + CONTENT && self.length <= self.buffer.len());
        codec.words(self.buffer.iter_mut().take(self.length));
    }

    /// Reads a character. Passes to `sink` a space for a tag that it completes, or the characters that it shows to be
    /// no tag.
    pub(super) fn feed(&mut self, c: char, sink: &mut dyn FnMut(char)) {
        // The state after the character; none if the character does not continue a tag.
        let next_state = match (self.state, c) {
            (State::Content(_), '>') => {
                self.reset();
                return sink(' ');
            }
            (State::Text, _) | (_, '<') => None,
            (State::Open, '/') => Some(State::Slash),
            (State::Open | State::Slash, 'a'..='z' | 'A'..='Z' | '!') => Some(State::Content(CONTENT)),
            (State::Content(room), _) => room.checked_sub(1).map(State::Content),
            _ => None,
        };
        match (next_state, self.buffer.get_mut(self.length)) {
            (Some(state), Some(slot)) => {
                *slot = c as i32;
                (self.length, self.state) = (self.length + 1, state);
            }
            _ => {
                self.finish(sink);
                // A `<` may begin a tag, also inside a possible one.
                if c == '<' {
                    self.state = State::Open;
                } else {
                    sink(c);
                }
            }
        }
    }

    /// Passes the `<` and the buffered characters, if there are any, on as text.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(char)) {
        if self.state != State::Text {
            sink('<');
        }
        for &code in self.buffer.iter().take(self.length) {
            sink(char::from_u32(code as u32).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.reset();
    }
}

/// The supported entities and their characters. `&` is the first character of each and occurs nowhere else in it. So if
/// a character does not continue a possible entity, only this character can begin another one.
const ENTITIES: [(&[u8], char); 7] = [
    (b"&amp;", '&'),
    (b"&lt;", '<'),
    (b"&gt;", '>'),
    (b"&quot;", '"'),
    (b"&apos;", '\''),
    (b"&#39;", '\''),
    (b"&nbsp;", '\u{a0}'),
];

/// Replaces entities by their characters, once: `&amp;lt;` becomes `&lt;`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entities {
    /// The index of an entity in [`ENTITIES`] that begins with the buffered characters.
    candidate: usize,
    /// The number of buffered characters.
    buffered: usize,
}

impl Entities {
    /// The buffered characters.
    fn prefix(&self) -> &'static [u8] {
        ENTITIES.get(self.candidate).and_then(|(name, _)| name.get(..self.buffered)).unwrap_or(&[])
    }

    /// Passes the index of the entity and the number of buffered characters through the codec.
    pub(super) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        self.candidate = codec.byte(self.candidate as u8).into();
        self.buffered = codec.byte(self.buffered as u8).into();
        codec.check(ENTITIES.get(self.candidate).is_some_and(|(name, _)| self.buffered < name.len()));
    }

    /// Reads a character. Passes to `sink` the character of an entity that it completes, or the characters that it
    /// shows to be no entity.
    pub(super) fn feed(&mut self, c: char, sink: &mut dyn FnMut(char)) {
        let prefix = self.prefix();
        let continues = |(name, _): &(&[u8], char)| {
            name.starts_with(prefix) && name.get(prefix.len()).is_some_and(|&byte| char::from(byte) == c)
        };
        match ENTITIES.iter().position(continues) {
            Some(candidate) => {
                (self.candidate, self.buffered) = (candidate, self.buffered + 1);
                if let Some(&(name, character)) = ENTITIES.get(candidate)
                    && name.len() == self.buffered
                {
                    self.buffered = 0;
                    sink(character);
                }
            }
            None => {
                let had_buffered = self.buffered > 0;
                self.finish(sink);
                if had_buffered {
                    // This character may begin another entity.
                    self.feed(c, sink);
                } else {
                    sink(c);
                }
            }
        }
    }

    /// Passes the buffered characters on as text.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(char)) {
        self.prefix().iter().for_each(|&byte| sink(char::from(byte)));
        self.buffered = 0;
    }
}
