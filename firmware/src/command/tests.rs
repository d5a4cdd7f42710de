use super::*;

#[test]
fn commands_are_recognised() {
    let human = |line: &'static str| match parse(line.as_bytes(), Some(Task::Classify)) {
        Line::Command(Form::Human, command) => command,
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(human("help"), Command::Help);
    assert_eq!(human("info  "), Command::Info);
    assert_eq!(human("labels"), Command::Labels);
    assert_eq!(human("selftest"), Command::Selftest);
    assert_eq!(human("stream"), Command::Stream);
    assert_eq!(human("echo on"), Command::Echo(true));
    assert_eq!(human("echo off "), Command::Echo(false));
    assert_eq!(human("color auto"), Command::Color(None));
    assert_eq!(human("log warn "), Command::Log(Level::Warn));
    assert_eq!(human("reset"), Command::Reset);
    assert_eq!([human("quit"), human("exit ")], [Command::Quit; 2]);
    assert_eq!(human("top 3"), Command::Top { count: 3, text: None });
    assert_eq!(human("top 9999 "), Command::Top { count: 9999, text: None });
    assert_eq!(human("top 10 songs"), Command::Top { count: 10, text: Some(b"songs") });
    assert_eq!(human("top 2  two"), Command::Top { count: 2, text: Some(b" two") });
    assert_eq!(human("classify help"), Command::Classify(b"help"));
    assert_eq!(human("classify  help "), Command::Classify(b" help "));
}

#[test]
fn lines_that_are_not_commands_are_texts() {
    for text in [
        "free prize",
        "help me",
        "Help",
        " help",
        "helpful",
        "top",
        "top of the morning",
        "top 0 x",
        "top 10000",
        "top 3x",
        "top  3",
        "echo",
        "echo on off",
        "log it",
        "color me surprised",
        "reset the alarm",
        "quit smoking",
        "@quit",
        "next week is fine",
        "say hello",
        "forecast 1 2",
        "classify",
        "classify ",
        "@",
        "@bob are you there?",
        "@ info",
        "@@info",
        "streams",
        "info\t",
    ] {
        assert_eq!(parse(text.as_bytes(), Some(Task::Classify)), Line::Text(text.as_bytes()), "{text}");
    }
    assert_eq!(parse(b"", None), Line::Empty);
    assert_eq!(parse(b" ", None), Line::Text(b" "));
}

#[test]
fn machine_mode_takes_commands_only() {
    assert_eq!(request(b"info", None), Line::Command(Form::Machine, Command::Info));
    assert_eq!(request(b"@mode human", None), Line::Command(Form::Machine, Command::Mode(Form::Human)));
    assert_eq!(request(b"classify", None), Line::Command(Form::Machine, Command::Classify(b"")));
    assert!(matches!(request(b"top x", None), Line::WrongArguments(info) if info.word == "top"));
    assert_eq!(request(b"free prize", None), Line::Unknown);
    assert_eq!(request(b"", None), Line::Unknown);
}

#[test]
fn each_task_has_its_own_commands() {
    let language = |line: &'static str| parse(line.as_bytes(), Some(Task::LanguageModel));
    let human = |command| Line::Command(Form::Human, command);
    assert_eq!(language("next free"), human(Command::Next { count: None, text: b"free" }));
    assert_eq!(language("next 3 free prize"), human(Command::Next { count: Some(3), text: b"free prize" }));
    assert_eq!(language("say 3rd of May"), human(Command::Say { count: None, text: b"3rd of May" }));
    assert_eq!(language("set seed 4294967295"), human(Command::Set(Setting::Seed(u32::MAX))));
    assert_eq!(language("set temperature 0.75"), human(Command::Set(Setting::Temperature(3 << 14))));
    assert_eq!(language("set top-k 5"), human(Command::Set(Setting::TopK(5))));
    for text in
        ["set temperature -1", "set temperature 1 2", "set seed +1", "set top-k 41", "set x 1", "classify a", "next"]
    {
        assert_eq!(language(text), Line::Text(text.as_bytes()), "{text}");
    }
    assert!(matches!(language("@top 3 a"), Line::WrongTask(info, Task::LanguageModel) if info.word == "top"));
    let forecast = parse(b"forecast 1 2.5", Some(Task::Forecast));
    assert_eq!(forecast, human(Command::Forecast(b"1 2.5")));
    assert_eq!(parse(b"@forecast", Some(Task::Forecast)), Line::Command(Form::Machine, Command::Forecast(b"")));
}

#[test]
fn an_at_sign_asks_for_the_machine_form() {
    assert_eq!(parse(b"@info", None), Line::Command(Form::Machine, Command::Info));
    assert_eq!(parse(b"@classify", None), Line::Command(Form::Machine, Command::Classify(b"")));
    assert_eq!(parse(b"@classify a", None), Line::Command(Form::Machine, Command::Classify(b"a")));
    for (line, word) in [("@top", "top"), ("@top x", "top"), ("@info please", "info"), ("@echo", "echo")] {
        assert!(matches!(parse(line.as_bytes(), None), Line::WrongArguments(info) if info.word == word), "{line}");
    }
}
