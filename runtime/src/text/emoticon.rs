//! Finds emoticons in the characters of a text. The tokenizer `html_words` makes each emoticon one token, although its
//! characters belong to different classes.

use super::is_word;
use crate::state_codec::StateCodec;

/// A part of the text, as [`Emoticons`] passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A character that is not part of an emoticon.
    Plain(char),
    /// An emoticon: eyes, nose and mouth; NUL for a missing part. The heart is `<`, NUL and `3`.
    Emoticon([char; 3]),
}

/// Finds emoticons, which consist of eyes `:` `;` `=`, a nose `-` or none, and a mouth; and hearts, `<3`. They match
///
/// ```text
/// [:;=]-?[()\[\]{}|*]|[:;=]-[/\\]|[:;=]-?[DPOdpo](?!\w)|<3(?!\w)
/// ```
///
/// A mouth that is a letter must not be followed by a word character, so `:pizza` has no emoticon. A slanted mouth
/// needs a nose, so `http://` has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Emoticons {
    /// The beginning of a possible emoticon: eyes, nose and mouth, or `<`, [`NONE`] and `3` of a heart. [`NONE`] for a
    /// part that is missing or has not been read; all three between emoticons.
    pending: [char; 3],
}

/// The character in place of a missing part: NUL, the default of `char`.
const NONE: char = '\0';

impl Emoticons {
    /// Passes the beginning of a possible emoticon through the codec.
    pub(super) fn visit_state(&mut self, codec: &mut StateCodec<'_>) {
        for c in &mut self.pending {
            // All parts of an emoticon are ASCII.
            *c = char::from(codec.byte(*c as u8));
        }
    }

    /// Reads a character. Passes on the pending characters and this one as soon as it is known whether they are an
    /// emoticon.
    pub(super) fn feed(&mut self, c: char, sink: &mut dyn FnMut(Found)) {
        let [eyes, nose, mouth] = self.pending;
        if mouth != NONE {
            // The mouth is a letter, or the pending characters are a heart: they are an emoticon unless a word
            // character follows.
            if is_word(c) {
                self.flush(sink);
            } else {
                self.complete(mouth, sink);
            }
        } else if eyes == '<' {
            if c == '3' {
                self.pending = [eyes, nose, c];
                return;
            }
            self.flush(sink);
        } else if eyes != NONE {
            // Eyes, perhaps with a nose. Only a mouth that is a letter has to wait for the next character.
            match c {
                '-' if nose == NONE => self.pending = [eyes, c, NONE],
                '(' | ')' | '[' | ']' | '{' | '}' | '|' | '*' => self.complete(c, sink),
                '/' | '\\' if nose != NONE => self.complete(c, sink),
                'd' | 'p' | 'o' | 'D' | 'P' | 'O' => self.pending = [eyes, nose, c],
                _ => {
                    self.flush(sink);
                    self.begin(c, sink);
                }
            }
            return;
        }
        self.begin(c, sink);
    }

    /// Ends the text and passes the pending characters on.
    pub(super) fn finish(&mut self, sink: &mut dyn FnMut(Found)) {
        match self.pending {
            [_, _, NONE] => self.flush(sink),
            [_, _, mouth] => self.complete(mouth, sink),
        }
    }

    /// Reads a character while no emoticon has begun.
    fn begin(&mut self, c: char, sink: &mut dyn FnMut(Found)) {
        match c {
            ':' | ';' | '=' | '<' => self.pending = [c, NONE, NONE],
            _ => sink(Found::Plain(c)),
        }
    }

    /// Passes the pending characters and the mouth on as an emoticon.
    fn complete(&mut self, mouth: char, sink: &mut dyn FnMut(Found)) {
        let [eyes, nose, _] = core::mem::take(&mut self.pending);
        sink(Found::Emoticon([eyes, nose, mouth]));
    }

    /// Passes the pending characters on as text.
    fn flush(&mut self, sink: &mut dyn FnMut(Found)) {
        let pending = core::mem::take(&mut self.pending);
        pending.into_iter().filter(|&c| c != NONE).for_each(|c| sink(Found::Plain(c)));
    }
}
