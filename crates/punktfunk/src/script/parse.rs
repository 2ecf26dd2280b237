//! From the text of a script to its steps.

use std::{fmt, str::FromStr, time::Duration};

use pf_proto::input::{AXIS_MAX, Button, Key, Pad, Position};

use crate::keys;

/// A script, ready to be played.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script(pub(super) Vec<Step>);

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Wait(Duration),
    /// By the keys of an American keyboard, with Shift or without.
    Type(Vec<(Key, bool)>),
    Act(Act),
}

/// A step that takes no time.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// Keys that go down in this order, or up in the opposite one.
    Keys(Vec<Key>, Stroke),
    Text(String),
    By(i32, i32),
    To(Position),
    Button(Button, Stroke),
    /// In 120ths of a notch.
    Scroll(i32, i32),
    Plug(Pad, bool),
    PadButton(Pad, u32, bool),
    PadStick(Pad, Side, [i16; 2]),
    PadTrigger(Pad, Side, i16),
    ReleaseAll,
}

/// What happens to a key or button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    Press,
    Release,
    /// Both.
    Tap,
}

/// Which stick or trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// A line of a script that says nothing, and what it may say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slip {
    line: usize,
    what: String,
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl FromStr for Script {
    type Err = Slip;

    fn from_str(text: &str) -> Result<Self, Slip> {
        let lines = text.lines().enumerate().filter(|(_, line)| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        let steps = lines.map(|(index, line)| step(line).map_err(|what| Slip { line: index + 1, what }));
        steps.collect::<Result<_, _>>().map(Self)
    }
}

fn step(line: &str) -> Result<Step, String> {
    let (word, rest) = split(line.trim_start());
    match word {
        "type" => typed(rest),
        "wait" => humantime::parse_duration(rest.trim())
            .map(Step::Wait)
            .map_err(|_| format!("{:?} is no time, such as 100ms or 2s", rest.trim())),
        _ => act(word, rest).map(Step::Act),
    }
}

fn act(word: &str, rest: &str) -> Result<Act, String> {
    match word {
        // What is typed may begin and end with spaces: one space after the word, and the rest counts.
        "text" => text(rest),
        "key" => keys(&words(rest)),
        "move" => numbers(&words(rest), "move RIGHT DOWN, in pixels").map(|[dx, dy]| Act::By(dx, dy)),
        "at" => at(&words(rest)),
        "press" => button(&words(rest), Stroke::Press),
        "release" if rest.trim().is_empty() => Ok(Act::ReleaseAll),
        "release" => button(&words(rest), Stroke::Release),
        "click" => button(&words(rest), Stroke::Tap),
        "scroll" => scroll(&words(rest)),
        "pad" => pad(&words(rest)),
        _ => Err(format!(
            "there is no step {word:?}; there are wait, key, type, text, move, at, press, release, click, scroll and pad"
        )),
    }
}

fn split(line: &str) -> (&str, &str) {
    line.split_once(' ').unwrap_or((line, ""))
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn keys(words: &[&str]) -> Result<Act, String> {
    let [stroke, names] = words else { return Err("it is: key press|release|tap NAME[+NAME…]".to_owned()) };
    let stroke = match *stroke {
        "press" => Stroke::Press,
        "release" => Stroke::Release,
        "tap" => Stroke::Tap,
        other => return Err(format!("a key is not {other:?} but press, release or tap")),
    };
    let key = |name: &str| {
        keys::named(name).ok_or_else(|| {
            format!("there is no key {name:?}; keys are named like A, 7, Enter, ShiftLeft, ArrowUp, F5, as in UI Events")
        })
    };
    names.split('+').map(key).collect::<Result<_, _>>().map(|keys| Act::Keys(keys, stroke))
}

fn typed(characters: &str) -> Result<Step, String> {
    let stroke = |character| {
        keys::typing(character).ok_or_else(|| {
            format!("an American keyboard has no key for {character:?}; text sends any character")
        })
    };
    characters.chars().map(stroke).collect::<Result<_, _>>().map(Step::Type)
}

fn text(text: &str) -> Result<Act, String> {
    match text.chars().find(|character| character.is_control()) {
        None => Ok(Act::Text(text.to_owned())),
        Some(control) => Err(format!("{control:?} is no text; it has a key")),
    }
}

fn at(words: &[&str]) -> Result<Act, String> {
    let [x, y] = fractions(words, "at RIGHT DOWN, each 0 to 1 of the picture", 0.0)?;
    let place = |fraction: f64| (fraction * f64::from(u16::MAX)).round() as u16;
    Ok(Act::To(Position { x: place(x), y: place(y) }))
}

fn scroll(words: &[&str]) -> Result<Act, String> {
    const FORM: &str = "scroll RIGHT DOWN, in notches from -100 to 100";
    let [x, y] = parsed::<f64, 2>(words, FORM)?;
    if ![x, y].iter().all(|notches| (-100.0..=100.0).contains(notches)) {
        return Err(format!("it is: {FORM}"));
    }
    let turn = |notches: f64| (notches * 120.0).round() as i32;
    Ok(Act::Scroll(turn(x), turn(y)))
}

fn button(words: &[&str], stroke: Stroke) -> Result<Act, String> {
    let button = match words {
        ["left"] => Button::Left,
        ["right"] => Button::Right,
        ["middle"] => Button::Middle,
        ["back"] => Button::Back,
        ["forward"] => Button::Forward,
        _ => return Err("a button is left, right, middle, back or forward".to_owned()),
    };
    Ok(Act::Button(button, stroke))
}

fn pad(words: &[&str]) -> Result<Act, String> {
    const FORM: &str = "it is: pad 0…3 plug | unplug | press BUTTON | release BUTTON | left X Y | right X Y | \
                        left-trigger Z | right-trigger Z, with buttons 0 to 16, sticks -1 to 1 and triggers 0 to 1";
    let wrong = || FORM.to_owned();
    let [number, act, values @ ..] = words else { return Err(wrong()) };
    let pad = number.parse().ok().and_then(Pad::from_number).ok_or_else(wrong)?;
    let button = || match values {
        [number] => number.parse().ok().filter(|number| *number < 17).ok_or_else(wrong),
        _ => Err(wrong()),
    };
    let end = f64::from(AXIS_MAX);
    let stick = || fractions(values, FORM, -1.0).map(|place: [f64; 2]| place.map(|part| (part * end) as i16));
    let trigger = || fractions(values, FORM, 0.0).map(|[part]: [f64; 1]| (part * end) as i16);
    match (*act, values) {
        ("plug", []) => Ok(Act::Plug(pad, true)),
        ("unplug", []) => Ok(Act::Plug(pad, false)),
        ("press", _) => Ok(Act::PadButton(pad, button()?, true)),
        ("release", _) => Ok(Act::PadButton(pad, button()?, false)),
        ("left", _) => Ok(Act::PadStick(pad, Side::Left, stick()?)),
        ("right", _) => Ok(Act::PadStick(pad, Side::Right, stick()?)),
        ("left-trigger", _) => Ok(Act::PadTrigger(pad, Side::Left, trigger()?)),
        ("right-trigger", _) => Ok(Act::PadTrigger(pad, Side::Right, trigger()?)),
        _ => Err(wrong()),
    }
}

fn numbers(words: &[&str], form: &str) -> Result<[i32; 2], String> {
    let numbers: [i32; 2] = parsed(words, form)?;
    // Far beyond any desktop; a host does not go further at once.
    let is_near = numbers.iter().all(|number| number.unsigned_abs() <= 10_000);
    if is_near { Ok(numbers) } else { Err(format!("it is: {form}, at most 10000")) }
}

/// Numbers from `least` to 1.
fn fractions<const N: usize>(words: &[&str], form: &str, least: f64) -> Result<[f64; N], String> {
    let fractions: [f64; N] = parsed(words, form)?;
    let is_within = fractions.iter().all(|part| (least..=1.0).contains(part));
    if is_within { Ok(fractions) } else { Err(format!("it is: {form}")) }
}

fn parsed<T: FromStr, const N: usize>(words: &[&str], form: &str) -> Result<[T; N], String> {
    let numbers: Option<Vec<T>> = words.iter().map(|word| word.parse().ok()).collect();
    numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| format!("it is: {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        text.parse::<Script>().unwrap_or_else(|slip| panic!("{slip}")).0
    }

    fn acts(text: &str) -> Vec<Act> {
        let act = |step| if let Step::Act(act) = step { act } else { panic!("{step:?}") };
        steps(text).into_iter().map(act).collect()
    }

    fn key(name: &str) -> Key {
        keys::named(name).unwrap()
    }

    #[test]
    fn every_step_is_read() {
        let pad = Pad::ALL[3];
        let table = [
            ("key tap Ctrl+Shift+T", Act::Keys(vec![key("ctrl"), key("shift"), key("t")], Stroke::Tap)),
            ("key release enter", Act::Keys(vec![key("enter")], Stroke::Release)),
            ("text  für Ω ", Act::Text(" für Ω ".to_owned())),
            ("move -5 7", Act::By(-5, 7)),
            ("at 0 1", Act::To(Position { x: 0, y: u16::MAX })),
            ("click left", Act::Button(Button::Left, Stroke::Tap)),
            ("press middle", Act::Button(Button::Middle, Stroke::Press)),
            ("release back", Act::Button(Button::Back, Stroke::Release)),
            ("release", Act::ReleaseAll),
            ("scroll 0.5 -1", Act::Scroll(60, -120)),
            ("pad 3 plug", Act::Plug(pad, true)),
            ("pad 3 press 16", Act::PadButton(pad, 16, true)),
            ("pad 3 left -1 0.5", Act::PadStick(pad, Side::Left, [-32_767, 16_383])),
            ("pad 3 right-trigger 1", Act::PadTrigger(pad, Side::Right, AXIS_MAX)),
        ];
        for (line, act) in table {
            assert_eq!(acts(line), [act], "{line}");
        }
        assert_eq!(steps("wait 1s 500ms"), [Step::Wait(Duration::from_millis(1500))]);
        assert_eq!(steps("type aB"), [Step::Type(vec![(key("a"), false), (key("b"), true)])]);
    }

    #[test]
    fn comments_and_empty_lines_are_no_steps() {
        assert_eq!(acts("# a comment\n\n   \n  # another\n  release"), [Act::ReleaseAll]);
    }

    /// The person must find the slip without reading the program.
    #[test]
    fn a_slip_names_its_line_and_what_may_stand_there() {
        let table = [
            ("release\npush left", "line 2: there is no step \"push\"", "press"),
            ("key tap Entre", "line 1: there is no key \"Entre\"", "Enter"),
            ("key hold A", "line 1: a key is not \"hold\"", "tap"),
            ("wait long", "line 1: \"long\" is no time", "100ms"),
            ("type ä", "line 1: an American keyboard has no key for 'ä'", "text"),
            ("text a\tb", "line 1: '\\t' is no text", "key"),
            ("at 0.5 1.5", "line 1: it is: at", "0 to 1"),
            ("at nan 0", "line 1: it is: at", "0 to 1"),
            ("move 1", "line 1: it is: move", "pixels"),
            ("move 1 100000", "line 1: it is: move", "10000"),
            ("scroll inf 0", "line 1: it is: scroll", "notches"),
            ("scroll 0 nan", "line 1: it is: scroll", "notches"),
            ("click", "line 1: a button is", "forward"),
            ("pad 4 plug", "line 1: it is: pad", "0…3"),
            ("pad 0 press 17", "line 1: it is: pad", "0 to 16"),
        ];
        for (text, what, allowed) in table {
            let slip = text.parse::<Script>().expect_err(text).to_string();
            assert!(slip.starts_with(what), "{text}: {slip}");
            assert!(slip.contains(allowed), "{text}: {slip}");
        }
    }
}
