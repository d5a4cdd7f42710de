//! What a line asks for, done.

use super::{Console, Mode};
use crate::answer;
use crate::classifier::Answer;
use crate::command::{self, Command, Form, Line};
use crate::error::Error;
use crate::frame::{self, Frame};
use crate::info;
use crate::models::Wanted;
use crate::port::{Event, Port};
use crate::stats;
use crate::stream::Stream;

impl<P: Port> Console<'_, P> {
    pub(super) fn answer_line(&mut self, line: &[u8]) -> Result<(), P::Error> {
        self.stats.lines = self.stats.lines.wrapping_add(u32::from(!line.is_empty()));
        let understood = if self.frame.is_some() { command::request(line) } else { command::parse(line) };
        if let Line::Command(_, Command::Mode(Form::Machine)) = understood {
            self.frame = Some(Frame::of(line));
        }
        match understood {
            Line::Empty => self.ask_terminal(),
            Line::Text(text) => self.obey(Command::Classify(text), Form::Human),
            Line::Command(form, command) => self.obey(command, form),
            Line::Misfit(entry) => self.fail(Error::Usage(entry), Form::Machine),
            Line::Unknown => self.fail(Error::UnknownCommand, Form::Machine),
        }
    }

    /// What concerns the device; the rest is the model's.
    pub(super) fn obey(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        let Console { port, board, model, frame, .. } = self;
        match command {
            Command::Help => frame::answer(port, frame, |out| answer::help(form, out))?,
            Command::Info => {
                let loaded = model.as_ref().map_err(|&refusal| refusal);
                frame::answer(port, frame, |out| info::info(board, loaded, form, out))?;
            }
            Command::Stats => {
                let (stack, reset, seen) = (port.stack(), port.reset_reason(), &self.stats);
                frame::answer(port, frame, |out| stats::stats(seen, stack, reset, form, out))?;
            }
            Command::Mode(mode) => {
                let said = if frame.is_some() { Form::Machine } else { form };
                frame::answer(port, frame, |out| answer::mode(mode, said, out))?;
                // Machine mode leaves a person's console behind.
                let was_framed = frame.is_some();
                *frame = frame.take().filter(|_| mode == Form::Machine);
                return self.end_answer(if was_framed { mode } else { form });
            }
            Command::Echo(on) => {
                self.echo = on;
                frame::answer(port, frame, |out| answer::echo(on, form, out))?;
            }
            Command::Color(wanted) => {
                self.colors = wanted;
                frame::answer(port, frame, |out| answer::color(wanted, form, out))?;
            }
            Command::Log(level) => {
                self.level = level;
                frame::answer(port, frame, |out| answer::log(level, form, out))?;
            }
            Command::Slots(request) => {
                self.wanted = Some(Wanted { request, form });
                return Ok(());
            }
            Command::Reset => {
                port.flush()?;
                port.reset();
                return self.fail(Error::NoReset, form);
            }
            command => return self.obey_model(command, form),
        }
        self.end_answer(form)
    }

    fn obey_model(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        let screen = self.screen();
        let Console { port, model, frame, stats, .. } = self;
        let classifier = match model {
            Ok(classifier) => classifier,
            Err(refusal) => {
                let error = Error::NoModel(*refusal);
                return self.fail(error, form);
            }
        };
        match command {
            Command::Labels => frame::answer(port, frame, |out| answer::labels(classifier, form, out))?,
            Command::Classify(text) => {
                let answer = classifier.classify(text, port);
                stats.add(&answer);
                if let Some(too_long) = answer.too_long {
                    return self.fail(Error::TooLong(too_long), form);
                }
                frame::answer(port, frame, |out| answer::classification(classifier, answer, form, screen, out))?;
            }
            Command::Top { n, text } => {
                let answer = text.map(|text| classifier.classify(text, port));
                answer.iter().for_each(|answer| stats.add(answer));
                match answer.or(classifier.last()) {
                    Some(Answer { too_long: Some(too_long), .. }) => return self.fail(Error::TooLong(too_long), form),
                    Some(answer) => {
                        frame::answer(port, frame, |out| answer::top(classifier, answer, n, form, screen, out))?;
                    }
                    None => return self.fail(Error::NoText, form),
                }
            }
            Command::Bench => {
                let result = classifier.bench(port);
                // Asked beforehand: the port is busy while it is written to.
                let [ticks, worst] = [result.ticks, result.worst.into()].map(|ticks| port.instructions(ticks));
                frame::answer(port, frame, |out| stats::bench(&result, ticks, worst, form, out))?;
            }
            Command::Selftest => {
                let result = classifier.self_test(port);
                frame::answer(port, frame, |out| answer::self_test(&result, form, out))?;
                self.note(Event::SelfTest { exact: result.exact, golden: result.golden });
            }
            Command::Stream => {
                self.mode = Mode::Stream(Stream::new(form, self.editor.ended_with_cr()));
                frame::answer(port, frame, |out| answer::stream_entered(form, out))?;
            }
            // All others concern the device.
            _ => (),
        }
        self.end_answer(form)
    }
}
