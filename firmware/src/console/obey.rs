//! What a line asks for, done.

use heapless::Vec;
use tern_runtime::Task;
use tern_runtime::text::Detokenizer;

use super::{Console, Mode};
use crate::answer;
use crate::classifier::Answer;
use crate::command::{self, Command, Form, Line, Setting};
use crate::error::Error;
use crate::frame::{self, Frame};
use crate::info;
use crate::models::Wanted;
use crate::port::{Event, Port};
use crate::stats;
use crate::stream::Stream;
use crate::terminal::{print, show};
use crate::text::PlainLines;

/// Tokens that `say` writes where no number is given, and at most.
const SAID: usize = 20;
const MOST_SAID: usize = 256;

impl<P: Port> Console<'_, P> {
    pub(super) fn answer_line(&mut self, line: &[u8]) -> Result<(), P::Error> {
        self.stats.lines = self.stats.lines.wrapping_add(u32::from(!line.is_empty()));
        let task = self.task();
        let understood = if self.frame.is_some() { command::request(line, task) } else { command::parse(line, task) };
        if let Line::Command(_, Command::Mode(Form::Machine)) = understood {
            self.frame = Some(Frame::of(line));
        }
        match understood {
            Line::Empty => self.ask_terminal(),
            Line::Text(text) => self.obey(Command::Classify(text), Form::Human),
            Line::Foreign(entry, found) => self.fail(Error::OtherTask { entry, found }, Form::Machine),
            Line::Command(form, command) => self.obey(command, form),
            Line::Misfit(entry) => self.fail(Error::Usage(entry), Form::Machine),
            Line::Unknown => self.fail(Error::UnknownCommand, Form::Machine),
        }
    }

    /// What concerns the device; the rest is the model's.
    pub(super) fn obey(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        let Console { port, board, model, frame, .. } = self;
        match command {
            Command::Help => {
                let task = model.as_ref().ok().map(|classifier| classifier.model().config().task);
                frame::answer(port, frame, |out| answer::help(task, form, out))?;
            }
            Command::Info => {
                let loaded = model.as_ref().map_err(|&refusal| refusal);
                frame::answer(port, frame, |out| info::info(board, loaded, form, out))?;
            }
            Command::Stats => {
                let (stack, starts, seen) = (port.stack(), port.starts(), &self.stats);
                frame::answer(port, frame, |out| stats::stats(seen, stack, starts, form, out))?;
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
                port.log_level(level);
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
        let Console { port, model, frame, stats, sampling, .. } = self;
        let classifier = match model {
            Ok(classifier) => classifier,
            Err(refusal) => {
                let error = Error::NoModel(*refusal);
                return self.fail(error, form);
            }
        };
        match command {
            Command::Labels => frame::answer(port, frame, |out| answer::labels(classifier, form, out))?,
            Command::Classify(text) | Command::Forecast(text) => {
                let answer = classifier.classify(text, port);
                return self.tell(answer, None, form);
            }
            Command::Next { n, text } => {
                let answer = classifier.classify(text, port);
                return self.tell(answer, n, form);
            }
            Command::Say { n, text } => return self.say(n.unwrap_or(SAID), text, form),
            Command::Set(setting) => {
                match setting {
                    Setting::Seed(seed) => sampling.seed = seed,
                    Setting::Temperature(temperature) => sampling.temperature = temperature,
                    Setting::TopK(top_k) => sampling.top_k = top_k,
                }
                let sampling = *sampling;
                frame::answer(port, frame, |out| answer::sampling(sampling, form, out))?;
            }
            Command::Top { n, text } => {
                let answer = text.map(|text| classifier.classify(text, port));
                answer.iter().for_each(|answer| stats.add(answer));
                match answer.or(classifier.last()) {
                    Some(Answer { refused: Some(refused), .. }) => return self.fail(refused.into(), form),
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

    /// Tells what a text that is complete gave: a label, the next tokens, a forecast.
    pub(super) fn tell(&mut self, answer: Answer, n: Option<usize>, form: Form) -> Result<(), P::Error> {
        let screen = self.screen();
        let Console { port, model: Ok(classifier), frame, stats, .. } = self else { return Ok(()) };
        stats.add(&answer);
        if let Some(refused) = answer.refused {
            return self.fail(refused.into(), form);
        }
        frame::answer(port, frame, |out| match classifier.model().config().task {
            Task::Classify => answer::classification(classifier, answer, form, screen, out),
            Task::LanguageModel => answer::next(classifier, answer, n, form, screen, out),
            Task::Forecast => answer::forecast(classifier, answer, form, out),
        })?;
        self.end_answer(form)
    }

    /// Goes on with a text: for a person token by token, for a program in one line.
    fn say(&mut self, count: usize, text: &[u8], form: Form) -> Result<(), P::Error> {
        let Console { port, model: Ok(classifier), frame, stats, sampling, .. } = self else { return Ok(()) };
        let answer = classifier.classify(text, port);
        stats.add(&answer);
        if let Some(refused) = answer.refused {
            return self.fail(refused.into(), form);
        }
        let model = classifier.model();
        if form == Form::Human {
            show(port, text)?;
            let vocabulary = model.vocabulary();
            let mut detokenizer = Detokenizer::new(model.config().tokenizer.kind, text);
            let said = classifier.say(count.min(MOST_SAID), *sampling, port, |port, id| {
                print(port, |out| detokenizer.write(id, vocabulary.token(id).unwrap_or(""), &mut PlainLines(out)))
            })?;
            print(port, |out| detokenizer.finish(&mut PlainLines(out)))?;
            print(port, |out| answer::said_costs(said, out))?;
        } else {
            let mut ids = Vec::<u32, MOST_SAID>::new();
            let said = classifier.say(count.min(MOST_SAID), *sampling, port, |_, id| {
                // There is room for as many as are asked for.
                let _ = ids.push(id);
                Ok(())
            })?;
            frame::answer(port, frame, |out| answer::said(model, text, &ids, said, out))?;
        }
        self.end_answer(form)
    }
}
