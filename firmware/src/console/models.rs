//! What those need who change the model behind a console.

use core::fmt::{self, Write};

use super::{Board, Console};
use crate::classifier::{Classifier, Refusal};
use crate::command::Form;
use crate::frame;
use crate::port::Port;

impl<'m, P: Port> Console<'m, P> {
    /// The same console on another model.
    pub fn with_model<'n>(self, model: Result<Classifier<'n>, Refusal>) -> Console<'n, P> {
        // Field by field: the type of the others does not know of the model's lifetime.
        let Console { port, board, mode, editor, pending, frame, echo, colors, is_terminal, level, .. } = self;
        let Console { sampling, stats, prompted, form, damage, wanted, .. } = self;
        Console {
            port,
            board,
            model,
            mode,
            editor,
            pending,
            frame,
            echo,
            colors,
            is_terminal,
            level,
            sampling,
            stats,
            prompted,
            form,
            damage,
            wanted,
        }
    }

    /// The same console without a model: what it borrowed is free.
    pub fn without_model(self) -> Console<'static, P> {
        self.with_model(Err(Refusal::Empty))
    }

    /// The port.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// What the board says of itself.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Answers what [`run`](Console::run) ended with.
    ///
    /// # Errors
    /// Those of the port.
    pub fn answer(&mut self, form: Form, write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> Result<(), P::Error> {
        frame::answer(&mut self.port, &mut self.frame, write)?;
        self.end_answer(form)
    }
}
