//! Carries out the command of a complete line and answers it.

use heapless::Vec;
use tern_runtime::Task;
use tern_runtime::text::Detokenizer;

use super::{Console, Mode};
use crate::answer;
use crate::command::{self, Command, Line, Setting};
use crate::console_error::ConsoleError;
use crate::display::PlainLines;
use crate::engine::Answer;
use crate::form::Form;
use crate::frame::{self, Frame};
use crate::info;
use crate::port::{Event, Port};
use crate::request::PendingRequest;
use crate::stats;
use crate::stream::Stream;
use crate::terminal::{print, write_visible};

/// Tokens that `say` generates if no number is given.
const DEFAULT_GENERATED: usize = 20;
/// Tokens that `say` generates at most.
const MAX_GENERATED: usize = 256;

impl<P: Port> Console<'_, P> {
    pub(super) fn answer_line(&mut self, line: &[u8]) -> Result<(), P::Error> {
        self.stats.lines = self.stats.lines.wrapping_add(u32::from(!line.is_empty()));
        let task = self.task();
        let parsed = if self.frame.is_some() { command::request(line, task) } else { command::parse(line, task) };
        if let Line::Command(_, Command::Mode(Form::Machine)) = parsed {
            self.frame = Some(Frame::of(line));
        }
        match parsed {
            Line::Empty => self.ask_terminal(),
            Line::Text(text) => self.dispatch(Command::Classify(text), Form::Human),
            Line::WrongTask(info, found) => self.fail(ConsoleError::OtherTask { info, found }, Form::Machine),
            Line::Command(form, command) => self.dispatch(command, form),
            Line::WrongArguments(info) => self.fail(ConsoleError::Usage(info), Form::Machine),
            Line::Unknown => self.fail(ConsoleError::UnknownCommand, Form::Machine),
        }
    }

    /// Carries out a command of the device, and passes commands of the model on.
    fn dispatch(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        let Console { port, board, engine, frame, .. } = self;
        match command {
            Command::Help => {
                let task = engine.as_ref().ok().map(|engine| engine.model().config().task);
                frame::write_answer(port, frame, |out| answer::help(task, form, out))?;
            }
            Command::Info => {
                let loaded = engine.as_ref().map_err(|&refusal| refusal);
                frame::write_answer(port, frame, |out| info::info(board, loaded, form, out))?;
            }
            Command::Stats => {
                let (stack, boots, stats) = (port.stack(), port.boot_count(), &self.stats);
                frame::write_answer(port, frame, |out| stats::stats(stats, stack, boots, form, out))?;
            }
            Command::Mode(mode) => {
                let answer_form = if frame.is_some() { Form::Machine } else { form };
                frame::write_answer(port, frame, |out| answer::mode(mode, answer_form, out))?;
                // The prompt comes back only when machine mode ends.
                let was_framed = frame.is_some();
                *frame = frame.take().filter(|_| mode == Form::Machine);
                return self.end_answer(if was_framed { mode } else { form });
            }
            Command::Echo(on) => {
                self.echo = on;
                frame::write_answer(port, frame, |out| answer::echo(on, form, out))?;
            }
            Command::Color(setting) => {
                self.colors = setting;
                frame::write_answer(port, frame, |out| answer::color(setting, form, out))?;
            }
            Command::Log(level) => {
                self.level = level;
                port.set_log_level(level);
                frame::write_answer(port, frame, |out| answer::log(level, form, out))?;
            }
            Command::Slots(request) => {
                self.request = Some(PendingRequest { request, form });
                return Ok(());
            }
            Command::Reset => {
                port.flush()?;
                port.reset();
                return self.fail(ConsoleError::NoReset, form);
            }
            Command::Quit => {
                port.quit();
                print(port, answer::quit)?;
            }
            command => return self.dispatch_to_model(command, form),
        }
        self.end_answer(form)
    }

    fn dispatch_to_model(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        let screen = self.screen();
        let Console { port, engine, frame, stats, sampling, .. } = self;
        let engine = match engine {
            Ok(engine) => engine,
            Err(refusal) => {
                let error = ConsoleError::NoModel(*refusal);
                return self.fail(error, form);
            }
        };
        match command {
            Command::Labels => frame::write_answer(port, frame, |out| answer::labels(engine, form, out))?,
            Command::Classify(text) | Command::Forecast(text) => {
                let answer = engine.classify(text, port);
                return self.show_prediction(answer, None, form);
            }
            Command::Next { n, text } => {
                let answer = engine.classify(text, port);
                return self.show_prediction(answer, n, form);
            }
            Command::Say { n, text } => return self.say(n.unwrap_or(DEFAULT_GENERATED), text, form),
            Command::Set(setting) => {
                match setting {
                    Setting::Seed(seed) => sampling.seed = seed,
                    Setting::Temperature(temperature) => sampling.temperature = temperature,
                    Setting::TopK(top_k) => sampling.top_k = top_k,
                }
                let sampling = *sampling;
                frame::write_answer(port, frame, |out| answer::sampling(sampling, form, out))?;
            }
            Command::Top { n, text } => {
                let answer = text.map(|text| engine.classify(text, port));
                answer.iter().for_each(|answer| stats.add(answer));
                match answer.or(engine.last()) {
                    Some(Answer { error: Some(error), .. }) => return self.fail(error.into(), form),
                    Some(answer) => {
                        frame::write_answer(port, frame, |out| answer::top(engine, answer, n, form, screen, out))?;
                    }
                    None => return self.fail(ConsoleError::NoText, form),
                }
            }
            Command::Bench => {
                let result = engine.bench(port);
                // Converted before the answer, which borrows the port.
                let [ticks, worst] = [result.ticks, result.worst.into()].map(|ticks| port.instructions(ticks));
                frame::write_answer(port, frame, |out| stats::bench(&result, ticks, worst, form, out))?;
            }
            Command::Selftest => {
                let result = engine.self_test(port);
                frame::write_answer(port, frame, |out| answer::self_test(&result, form, out))?;
                self.log_event(Event::SelfTest { exact: result.exact, golden: result.golden });
            }
            Command::Stream => {
                self.mode = Mode::Stream(Stream::new(form, self.editor.ended_with_cr()));
                frame::write_answer(port, frame, |out| answer::stream_entered(form, out))?;
            }
            command => debug_assert!(false, "{command:?} is a command of the device"),
        }
        self.end_answer(form)
    }

    /// Shows the prediction for a complete text: labels, the next tokens, or a forecast.
    pub(super) fn show_prediction(&mut self, answer: Answer, n: Option<usize>, form: Form) -> Result<(), P::Error> {
        let screen = self.screen();
        let Console { port, engine: Ok(engine), frame, stats, .. } = self else { return Ok(()) };
        stats.add(&answer);
        if let Some(error) = answer.error {
            return self.fail(error.into(), form);
        }
        frame::write_answer(port, frame, |out| match engine.model().config().task {
            Task::Classify => answer::classification(engine, answer, form, screen, out),
            Task::LanguageModel => answer::next(engine, answer, n, form, screen, out),
            Task::Forecast => answer::forecast(engine, answer, form, out),
        })?;
        self.end_answer(form)
    }

    /// Continues a text by `count` tokens: a person sees them one by one, a program gets them in one line.
    fn say(&mut self, count: usize, text: &[u8], form: Form) -> Result<(), P::Error> {
        let Console { port, engine: Ok(engine), frame, stats, sampling, .. } = self else { return Ok(()) };
        let answer = engine.classify(text, port);
        stats.add(&answer);
        if let Some(error) = answer.error {
            return self.fail(error.into(), form);
        }
        let (model, count) = (engine.model(), count.min(MAX_GENERATED));
        if form == Form::Human {
            write_visible(port, text)?;
            let vocabulary = model.vocabulary();
            let mut detokenizer = Detokenizer::new(model.config().tokenizer.kind, text);
            let generated = engine.generate(count, *sampling, port, |port, id| {
                print(port, |out| detokenizer.write(id, vocabulary.token(id).unwrap_or(""), &mut PlainLines(out)))
            })?;
            print(port, |out| {
                detokenizer.finish(&mut PlainLines(out))?;
                answer::generation_cost(generated, out)
            })?;
        } else {
            let mut ids = Vec::<u32, MAX_GENERATED>::new();
            let generated = engine.generate(count, *sampling, port, |_, id| {
                let pushed = ids.push(id);
                debug_assert!(pushed.is_ok(), "at most {MAX_GENERATED} tokens are generated");
                Ok(())
            })?;
            frame::write_answer(port, frame, |out| answer::generated(model, text, &ids, generated, out))?;
        }
        self.end_answer(form)
    }
}
