//! Carries out and answers the command in a complete line. In machine mode each answer is in a [`Frame`], which
//! [`frame::write_answer`] adds.

use heapless::Vec;
use tern_runtime::Task;
use tern_runtime::text::Detokenizer;

use super::{Console, Mode};
use crate::answer;
use crate::command::{self, Command, Line, Setting};
use crate::console_error::ConsoleError;
use crate::display::{Form, VisibleLines};
use crate::engine::{Answer, Engine};
use crate::features::{COLORS, DIAGNOSTICS, LOG, TASKS};
use crate::frame::{self, Frame};
use crate::golden;
use crate::info;
use crate::port::{Event, Port, print, write_visible};
#[cfg(feature = "updates")]
use crate::request::PendingRequest;
use crate::stats;
use crate::stream::Stream;

/// The number of tokens that `say` generates if no number is given.
const DEFAULT_GENERATED: usize = 20;
/// The most tokens that `say` generates.
const MAX_GENERATED: usize = 256;

impl<P: Port> Console<'_, P> {
    /// Interprets a complete line, carries out its command, and answers it.
    pub(super) fn answer_line(&mut self, line: &[u8]) -> Result<(), P::Error> {
        if !line.is_empty() {
            self.stats.lines = self.stats.lines.wrapping_add(1);
        }
        let task = self.task();
        let parsed = if self.frame.is_some() { command::request(line, task) } else { command::parse(line, task) };
        // Machine mode begins with the answer to this line, which carries the line's checksum.
        if let Line::Command(_, Command::Mode(Form::Machine)) = parsed {
            self.frame = Some(Frame::first(line));
        }
        match parsed {
            Line::Empty => self.ask_terminal_and_prompt(),
            // `Classify` predicts with a model of any task.
            Line::Text(text) => self.dispatch(Command::Classify(text), Form::Human),
            #[cfg(feature = "tasks")]
            Line::WrongTask(info, found) => self.fail(ConsoleError::OtherTask { info, found }, Form::Machine),
            Line::Command(form, command) => self.dispatch(command, form),
            Line::WrongArguments(info) => self.fail(ConsoleError::Usage(info), Form::Machine),
            Line::Unknown => self.fail(ConsoleError::UnknownCommand, Form::Machine),
        }
    }

    /// Carries out and answers a command about the device, and passes other commands to
    /// [`dispatch_to_model`](Console::dispatch_to_model).
    fn dispatch(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        match command {
            // These only have an answer, which is written below.
            Command::Help | Command::Info | Command::Stats => (),
            Command::Mode(new_form) => return self.change_mode(new_form, form),
            Command::Echo(is_on) => self.echo = is_on,
            Command::Color(setting) if COLORS => self.colors = setting,
            Command::Log(level) if LOG => {
                self.log_level = level;
                self.port.set_log_level(level);
            }
            // On a computer, the next write then fails with the error that ends the console, so nothing is answered.
            Command::Quit => self.port.quit(),
            #[cfg(feature = "updates")]
            Command::Slots(request) => {
                self.request = Some(PendingRequest { request, form });
                return Ok(());
            }
            Command::Reset => {
                self.port.flush()?;
                self.port.reset();
                // A board that can reset itself does not get here. On a computer, this write fails and ends the
                // console.
                return self.fail(ConsoleError::NoReset, form);
            }
            command => return self.dispatch_to_model(command, form),
        }
        let Console { port, board, engine, frame, stats, .. } = self;
        // Finding the largest use of the stack takes long, so it is done only for `stats`.
        let stack = if command == Command::Stats { port.stack() } else { None };
        let boots = port.boots();
        let loaded = engine.as_ref().map_err(|&refusal| refusal);
        frame::write_answer(port, frame, |out| match command {
            Command::Help => answer::help(loaded.ok().map(Engine::task), form, out),
            Command::Info => info::info(board, loaded, form, out),
            Command::Stats if DIAGNOSTICS => stats::stats(stats, stack, boots, form, out),
            Command::Echo(is_on) => answer::echo(is_on, form, out),
            Command::Color(setting) if COLORS => answer::color(setting, form, out),
            Command::Log(level) if LOG => answer::log(level, form, out),
            // Only `Command::Quit` is left.
            _ => answer::quit(out),
        })?;
        self.end_answer(form)
    }

    /// Enters machine mode (`new_form` is [`Form::Machine`]) or leaves it. `form` is the form of the command's answer
    /// outside machine mode. When the mode begins, [`answer_line`](Console::answer_line) has already made its first
    /// frame.
    fn change_mode(&mut self, new_form: Form, form: Form) -> Result<(), P::Error> {
        let Console { port, frame, .. } = self;
        // Always true for `mode machine`; for `mode human`, only if machine mode ends.
        let is_framed = frame.is_some();
        let answer_form = if is_framed { Form::Machine } else { form };
        frame::write_answer(port, frame, |out| answer::mode(new_form, answer_form, out))?;
        if new_form == Form::Human {
            *frame = None;
        }
        // The end of machine mode brings the prompt back, although the answer is for a program.
        self.end_answer(if is_framed { new_form } else { form })
    }

    /// Carries out and answers a command that needs a model.
    fn dispatch_to_model(&mut self, command: Command<'_>, form: Form) -> Result<(), P::Error> {
        let terminal = self.terminal();
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
            Command::Classify(text) | Command::Forecast(text) | Command::Next { text, .. } => {
                let answer = engine.predict(text, port);
                let count = if let Command::Next { count, .. } = command { count } else { None };
                return self.show_prediction(answer, count, form);
            }
            Command::Say { count, text } if TASKS => return self.say(count.unwrap_or(DEFAULT_GENERATED), text, form),
            Command::Set(setting) if TASKS => {
                match setting {
                    Setting::Seed(seed) => sampling.seed = seed,
                    Setting::Temperature(temperature) => sampling.temperature = temperature,
                    Setting::TopK(top_k) => sampling.top_k = top_k,
                }
                let new_sampling = *sampling;
                frame::write_answer(port, frame, |out| answer::sampling(new_sampling, form, out))?;
            }
            Command::Top { count, text } => {
                let answer = text.map(|text| engine.predict(text, port));
                if let Some(answer) = &answer {
                    stats.add(answer);
                }
                match answer.or(engine.last_answer()) {
                    Some(Answer { error: Some(error), .. }) => return self.fail(ConsoleError::Input(error), form),
                    Some(answer) => {
                        frame::write_answer(port, frame, |out| {
                            answer::top(engine, answer, count, form, terminal, out)
                        })?;
                    }
                    None => return self.fail(ConsoleError::NoText, form),
                }
            }
            Command::Bench if DIAGNOSTICS => {
                let result = golden::bench(engine, port);
                // The instructions are computed before the answer is written, which borrows the port.
                let [instructions, worst_instructions] =
                    [result.ticks, result.worst.into()].map(|ticks| port.instructions(ticks));
                frame::write_answer(port, frame, |out| {
                    stats::bench(&result, instructions, worst_instructions, form, out)
                })?;
            }
            Command::Selftest if DIAGNOSTICS => {
                let result = golden::self_test(engine, port);
                frame::write_answer(port, frame, |out| answer::self_test(&result, form, out))?;
                self.log_event(Event::SelfTest { exact: result.exact, golden: result.total });
            }
            Command::Stream => {
                self.mode = Mode::Stream(Stream::new(form, self.editor.ended_with_cr()));
                frame::write_answer(port, frame, |out| answer::stream_entered(form, out))?;
            }
            command => debug_assert!(false, "{command:?} is a command of the device"),
        }
        self.end_answer(form)
    }

    /// Counts a complete text and answers it with its prediction (labels, the `count` most probable next tokens, or a
    /// forecast) or with its error.
    pub(super) fn show_prediction(&mut self, answer: Answer, count: Option<usize>, form: Form) -> Result<(), P::Error> {
        let terminal = self.terminal();
        // The callers have checked that there is a model.
        let Console { port, engine: Ok(engine), frame, stats, .. } = self else { return Ok(()) };
        stats.add(&answer);
        if let Some(error) = answer.error {
            return self.fail(ConsoleError::Input(error), form);
        }
        frame::write_answer(port, frame, |out| match engine.task() {
            Task::LanguageModel if TASKS => answer::next(engine, answer, count, form, terminal, out),
            Task::Forecast if TASKS => answer::forecast(engine, answer, form, out),
            _ => answer::classification(engine, answer, form, terminal, out),
        })?;
        self.end_answer(form)
    }

    /// Continues a text by `count` tokens, at most [`MAX_GENERATED`]: a person sees them one by one, a program gets
    /// them in one line.
    fn say(&mut self, count: usize, text: &[u8], form: Form) -> Result<(), P::Error> {
        // The caller has checked that there is a model.
        let Console { port, engine: Ok(engine), frame, stats, sampling, .. } = self else { return Ok(()) };
        let answer = engine.predict(text, port);
        stats.add(&answer);
        if let Some(error) = answer.error {
            return self.fail(ConsoleError::Input(error), form);
        }
        let (model, count) = (engine.model(), count.min(MAX_GENERATED));
        if form == Form::Human {
            write_visible(port, text)?;
            let vocabulary = model.vocabulary();
            // Joins the tokens to a text, with spaces between words.
            let mut detokenizer = Detokenizer::new(model.config().tokenizer.kind, text);
            let cost = engine.generate(count, *sampling, port, |port, id| {
                print(port, |out| detokenizer.write(id, vocabulary.token(id).unwrap_or(""), &mut VisibleLines(out)))
            })?;
            print(port, |out| {
                detokenizer.finish(&mut VisibleLines(out))?;
                answer::generation_cost(cost, out)
            })?;
        } else {
            let mut ids = Vec::<u32, MAX_GENERATED>::new();
            let cost = engine.generate(count, *sampling, port, |_, id| {
                let pushed = ids.push(id);
                debug_assert!(pushed.is_ok(), "at most {MAX_GENERATED} tokens are generated");
                Ok(())
            })?;
            frame::write_answer(port, frame, |out| answer::generated(model, text, &ids, cost, out))?;
        }
        self.end_answer(form)
    }
}
