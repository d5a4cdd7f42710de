//! What a line asks for, done.

use super::{Console, Mode};
use crate::answer;
use crate::classifier::Answer;
use crate::command::{self, Command, Form, Line};
use crate::error::Error;
use crate::info;
use crate::port::{Event, Port};
use crate::stream::Stream;
use crate::terminal::print;

impl<P: Port> Console<'_, P> {
    pub(super) fn answer_line(&mut self, line: &[u8]) -> Result<(), P::Error> {
        match command::parse(line) {
            Line::Empty => self.prompt(),
            Line::Text(text) => self.obey(Command::Classify(text), Form::Human),
            Line::Command(form, command) => self.obey(command, form),
            Line::Misfit(entry) => self.fail(Error::Usage(entry), Form::Machine),
        }
    }

    pub(super) fn obey(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        let Console { port, board, model, .. } = self;
        match (command, model) {
            (Command::Help, _) => print(port, |out| answer::help(form, out))?,
            (Command::Info, model) => {
                print(port, |out| info::info(board, model.as_ref().map_err(|&refusal| refusal), form, out))?;
            }
            (Command::Echo(on), _) => {
                self.echo = on;
                print(port, |out| answer::echo(on, form, out))?;
            }
            (_, Err(refusal)) => {
                let error = Error::NoModel(*refusal);
                return self.fail(error, form);
            }
            (Command::Labels, Ok(classifier)) => print(port, |out| answer::labels(classifier, form, out))?,
            (Command::Classify(text), Ok(classifier)) => {
                let answer = classifier.classify(text, port);
                if let Some(too_long) = answer.too_long {
                    return self.fail(Error::TooLong(too_long), form);
                }
                print(port, |out| answer::classification(classifier, answer, form, out))?;
            }
            (Command::Top { n, text }, Ok(classifier)) => {
                let answer = text.map(|text| classifier.classify(text, port)).or(classifier.last());
                match answer {
                    Some(Answer { too_long: Some(too_long), .. }) => return self.fail(Error::TooLong(too_long), form),
                    Some(answer) => print(port, |out| answer::top(classifier, answer, n, form, out))?,
                    None => return self.fail(Error::NoText, form),
                }
            }
            (Command::Selftest, Ok(classifier)) => {
                let result = classifier.self_test(port);
                port.note(Event::SelfTest { exact: result.exact, golden: result.golden });
                print(port, |out| answer::self_test(&result, form, out))?;
            }
            (Command::Stream, Ok(_)) => {
                self.mode = Mode::Stream(Stream::new(form, self.editor.ended_with_cr()));
                print(port, |out| answer::stream_entered(form, out))?;
            }
        }
        self.end_answer(form)
    }
}
