//! The `tern` command.

fn main() -> std::process::ExitCode {
    tern_trainer::cli::run()
}
