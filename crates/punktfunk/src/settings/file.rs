//! `settings.toml`: where it is, and how it is read and written.
//!
//! A person may write in the file while the app runs, with comments, and with keys that only a later version knows. So what
//! is written is what was changed, into the file as it is then; all else in it stays, to the letter.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write as _},
    ops::Range,
    path::{Path, PathBuf},
};

use pf_app::Settings;
use toml_edit::{Document, DocumentMut, Item, Value};

use super::{
    fault::{SaveError, SettingsFault},
    key::KEYS,
};

/// The settings, and the file that they are from.
#[derive(Debug)]
pub(crate) struct SettingsFile {
    /// `None` where nothing says where it is.
    path: Option<PathBuf>,
    settings: Settings,
    /// What was wrong with it when it was read last.
    fault: Option<SettingsFault>,
    unknown: Vec<UnknownKey>,
}

/// A key in the file that this version does not know. It is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownKey {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands, from 1.
    pub(crate) line: usize,
}

/// What stands in a file.
#[derive(Debug)]
struct Contents {
    text: String,
    settings: Settings,
    unknown: Vec<UnknownKey>,
}

/// What is wrong in a text, and in which line, from 1.
#[derive(Debug, PartialEq, Eq)]
struct Slip {
    line: usize,
    reason: String,
}

/// Where the file is by default: `$XDG_CONFIG_HOME/punktfunk/settings.toml`, else below `$HOME/.config`.
///
/// The two variables are handed in. As the XDG specification asks, a relative `$XDG_CONFIG_HOME` is ignored.
pub(crate) fn default_path(config_home: Option<&OsStr>, home: Option<&OsStr>) -> Option<PathBuf> {
    let absolute = |value: Option<&OsStr>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(config_home)
        .or_else(|| absolute(home).map(|home| home.join(".config")))
        .map(|base| base.join("punktfunk").join("settings.toml"))
}

impl SettingsFile {
    /// Reads the file at `path`, if there is one. Whatever is wrong with it, there are settings, and [`remarks`](Self::remarks).
    pub(crate) fn open(path: Option<PathBuf>) -> Self {
        let read = path.as_deref().map(Contents::read).transpose();
        let (settings, unknown, fault) = match read {
            Ok(Some(Contents { settings, unknown, .. })) => (settings, unknown, None),
            Ok(None) => (Settings::default(), Vec::new(), None),
            Err(fault) => (Settings::default(), Vec::new(), Some(fault)),
        };
        Self { path, settings, fault, unknown }
    }

    /// What counts: what stands in the file, or the defaults where that cannot be used.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is to be told of it when it was read: what is wrong, or which keys are not known.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let unknown = self.unknown.iter().filter_map(|UnknownKey { name, line }| {
            let path = self.path.as_deref()?.display();
            Some(format!("{path}, line {line}: there is no setting `{name}`. It is left as it is."))
        });
        self.fault.iter().map(ToString::to_string).chain(unknown).collect()
    }

    /// Takes new settings, and writes what changed. Where that fails they count all the same, until the program ends.
    ///
    /// A file that cannot be used is not written over.
    pub(crate) fn save(&mut self, settings: Settings) -> Result<(), SaveError> {
        let before = std::mem::replace(&mut self.settings, settings);
        let path = self.path.as_deref().ok_or(SaveError::NoHome)?;
        let contents = Contents::read(path).map_err(SaveError::Fault)?;
        self.fault = None;
        if let Some(changed) = contents.changed(&before, &settings) {
            write(path, &changed).map_err(|error| SaveError::Write { path: path.to_owned(), error })?;
        }
        Ok(())
    }
}

impl Contents {
    /// What stands in the file at `path`; nothing where there is none.
    fn read(path: &Path) -> Result<Self, SettingsFault> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(SettingsFault::Unreadable { path: path.to_owned(), error }),
        };
        Self::parse(text).map_err(|Slip { line, reason }| SettingsFault::Broken {
            path: path.to_owned(),
            line,
            reason,
        })
    }

    fn parse(text: String) -> Result<Self, Slip> {
        let line_of = |span: Option<Range<usize>>| {
            let before = span.map_or("", |span| text.get(..span.start).unwrap_or_default());
            before.matches('\n').count() + 1
        };
        let document = Document::parse(text.as_str())
            .map_err(|error| Slip { line: line_of(error.span()), reason: error.message().to_owned() })?;
        let (mut settings, mut unknown) = (Settings::default(), Vec::new());
        for (name, item) in document.iter() {
            let line = line_of(document.key(name).and_then(toml_edit::Key::span));
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                unknown.push(UnknownKey { name: name.to_owned(), line });
                continue;
            };
            let read = item.as_value().ok_or("a value").and_then(|value| (key.read)(&mut settings, value));
            read.map_err(|can_be| Slip { line, reason: format!("`{name}` is {can_be}") })?;
        }
        drop(document);
        Ok(Self { text, settings, unknown })
    }

    /// The text with what is other in `after` than in `before`; `None` where that makes no difference.
    fn changed(&self, before: &Settings, after: &Settings) -> Option<String> {
        let text = if self.text.is_empty() { HEADING } else { &self.text };
        // It was parsed before.
        let mut document: DocumentMut = text.parse().ok()?;
        for key in KEYS.iter().filter(|key| !key.is_same(before, after)) {
            match (key.write)(after) {
                Some(value) => set(&mut document, key.name, value),
                None => drop(document.remove(key.name)),
            }
        }
        let changed = document.to_string();
        (changed != text).then_some(changed)
    }
}

/// Gives a key its value, with what stands about it, or puts it below all other keys.
fn set(document: &mut DocumentMut, name: &str, mut value: Value) {
    if let Some(there) = document.get_mut(name).and_then(Item::as_value_mut) {
        *value.decor_mut() = there.decor().clone();
        *there = value;
        return;
    }
    document.insert(name, toml_edit::value(value));
    // What stands at the end of a file without tables stands above the new key, and not below.
    let end = document.trailing().as_str().unwrap_or_default().to_owned();
    if !end.is_empty() && document.iter().all(|(_, item)| item.is_value()) {
        let line = if end.ends_with('\n') { "" } else { "\n" };
        if let Some(mut key) = document.key_mut(name) {
            key.leaf_decor_mut().set_prefix(format!("{end}{line}"));
            document.set_trailing("");
        }
    }
}

/// Writes a whole file in the place of the one that is there, if any, so that a crash leaves one of the two.
fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link to where a person keeps such files stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = path.with_extension(format!("toml.new-{}", std::process::id()));
    let written = write_new(&new, text, &path).and_then(|()| fs::rename(&new, &path));
    if written.is_err() {
        // Nobody misses what is no file yet.
        let _ = fs::remove_file(&new);
    }
    written?;
    // The name is made durable where folders can be opened.
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}

/// Writes a new file, down to the disk, with the rights of another one, if that is there.
fn write_new(path: &Path, text: &str, like: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    if let Ok(there) = fs::metadata(like) {
        file.set_permissions(there.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What a new file begins with.
const HEADING: &str = "# Settings of Punktfunk. What can stand here: docs/settings.md\n\n";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use pf_app::{GrabKeyboard, Level, StreamSize, UiScale};
    use pf_media::picture::Size;
    use pf_proto::session::SoundWish;
    use tempfile::TempDir;

    use super::*;

    /// Every key, with a value that is not the default.
    const WHOLE: &str = "size = \"1280x720\"
fps = 30
bitrate = 8
sound = \"10ms\"
full_screen = true
grab_keyboard = \"always\"
overlay = \"short\"
ui_scale = 1.3
";

    const OTHER: Settings = Settings {
        size: StreamSize::Fixed(Size::new(1280, 720)),
        fps: Some(30),
        bitrate: Some(8),
        sound: SoundWish::Ms10,
        full_screen: true,
        grab_keyboard: GrabKeyboard::Always,
        overlay: Level::Short,
        ui_scale: UiScale::Times(1.3),
    };

    /// A folder, and a file of settings in it with this text.
    fn file(text: &str) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn open(path: &Path) -> SettingsFile {
        SettingsFile::open(Some(path.to_owned()))
    }

    #[test]
    fn the_default_place_follows_xdg() {
        let place =
            |xdg: Option<&str>, home: Option<&str>| default_path(xdg.map(OsStr::new), home.map(OsStr::new));
        assert_eq!(place(Some("/conf"), Some("/home/a")), Some("/conf/punktfunk/settings.toml".into()));
        for unusable in [None, Some(""), Some("relative")] {
            assert_eq!(
                place(unusable, Some("/home/a")),
                Some("/home/a/.config/punktfunk/settings.toml".into())
            );
            assert_eq!(place(unusable, None), None);
        }
    }

    #[test]
    fn every_key_is_read_and_written() {
        let (folder, path) = file(WHOLE);
        assert_eq!(*open(&path).settings(), OTHER);
        let new = folder.path().join("new/punktfunk/settings.toml");
        let mut settings = open(&new);
        assert_eq!(*settings.settings(), Settings::default());
        settings.save(OTHER).unwrap();
        assert_eq!(fs::read_to_string(&new).unwrap(), format!("{HEADING}{WHOLE}"));
        assert_eq!(*open(&new).settings(), OTHER);
        settings.save(Settings::default()).unwrap();
        assert_eq!(*open(&new).settings(), Settings::default());
    }

    #[test]
    fn a_whole_number_is_a_scale_too() {
        let scale =
            |text: &str| Contents::parse(format!("ui_scale = {text}")).map(|read| read.settings.ui_scale);
        assert_eq!(scale("2").unwrap(), UiScale::Times(2.0));
        assert_eq!(scale("3.0").unwrap(), UiScale::Times(3.0));
        for wrong in ["0.99", "3.01", "4", "nan", "inf", "true", "\"2\""] {
            assert!(scale(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_is_told_with_its_line() {
        for (text, line, reason) in [
            ("fps = 0", 1, "`fps` is a whole number from 1 to 120"),
            ("fps = 121", 1, "`fps` is a whole number from 1 to 120"),
            ("fps = \"60\"", 1, "`fps` is a whole number from 1 to 120"),
            ("bitrate = 201", 1, "`bitrate` is a whole number from 1 to 200"),
            ("bitrate = -1", 1, "`bitrate` is a whole number from 1 to 200"),
            ("\n\nsize = \"1280\"", 3, "`size` is \"window\", or such as \"1280x720\""),
            ("size = \"0x720\"", 1, "`size` is \"window\", or such as \"1280x720\""),
            ("size = \"4097x720\"", 1, "`size` is \"window\", or such as \"1280x720\""),
            ("# sound\nsound = true", 2, "`sound` is \"on\", \"off\" or \"10ms\""),
            ("full_screen = \"yes\"", 1, "`full_screen` is true or false"),
            ("grab_keyboard = true", 1, "`grab_keyboard` is \"full_screen\", \"always\" or \"never\""),
            ("overlay = \"all\"", 1, "`overlay` is \"off\", \"short\" or \"full\""),
            ("fps = 30\n[overlay]\n", 2, "`overlay` is a value"),
        ] {
            let slip = Contents::parse(text.to_owned()).unwrap_err();
            assert_eq!(slip, Slip { line, reason: reason.to_owned() }, "{text}");
        }
        assert_eq!(Contents::parse("fps = 30\nfps = 60".to_owned()).unwrap_err().line, 2, "twice");
        assert_eq!(Contents::parse("fps = 30\nsize = ".to_owned()).unwrap_err().line, 2, "cut short");
        assert_eq!(Contents::parse("\u{0}".to_owned()).unwrap_err().line, 1, "no text");
    }

    /// A file with one slip in it holds a person's settings all the same: defaults must not take its place.
    #[test]
    fn a_broken_file_is_told_of_and_never_written_over() {
        let broken = "full_screen = true\nfps = 900 # all of them\n";
        let (_folder, path) = file(broken);
        let mut settings = open(&path);
        assert_eq!(*settings.settings(), Settings::default());
        let remarks = settings.remarks();
        assert!(remarks[0].contains("line 2: `fps` is a whole number"), "{remarks:?}");
        assert!(matches!(settings.save(OTHER), Err(SaveError::Fault(SettingsFault::Broken { line: 2, .. }))));
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        assert_eq!(*settings.settings(), OTHER, "they count until the end");
        fs::write(&path, "# put right").unwrap();
        settings.save(Settings { fps: Some(50), ..OTHER }).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "# put right\nfps = 50\n");
        assert!(settings.fault.is_none());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = open(folder.path());
        assert!(matches!(&settings.fault, Some(SettingsFault::Unreadable { .. })));
        assert!(matches!(settings.save(OTHER), Err(SaveError::Fault(SettingsFault::Unreadable { .. }))));
        let mut nowhere = SettingsFile::open(None);
        assert!(nowhere.fault.is_none());
        assert!(matches!(nowhere.save(OTHER), Err(SaveError::NoHome)));
    }

    /// What a person wrote, and what a later version knows, must outlive a click in the app.
    #[test]
    fn what_was_not_changed_stays_to_the_letter() {
        let text = "# mine\nfps=30 # enough\nfulscreen = true\n\n[later]\nkey = [ 1,2 ]\n";
        let (_folder, path) = file(text);
        let mut settings = open(&path);
        let unknown = settings.remarks();
        assert!(unknown[0].contains("line 3: there is no setting `fulscreen`"), "{unknown:?}");
        assert!(unknown[1].contains("line 5: there is no setting `later`"), "{unknown:?}");
        settings.save(Settings { fps: Some(50), ..*settings.settings() }).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text.replace("fps=30", "fps=50"));
        settings.save(Settings { full_screen: true, ..*settings.settings() }).unwrap();
        let with_another =
            text.replace("fps=30", "fps=50").replace("= true\n", "= true\nfull_screen = true\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), with_another);
        settings.save(Settings { fps: None, ..*settings.settings() }).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("fps"), "left to the host again");
    }

    /// Who edits the file while the app runs must not find it as it was before.
    #[test]
    fn what_was_written_meanwhile_stays() {
        let (_folder, path) = file("fps = 30\n");
        let mut settings = open(&path);
        fs::write(&path, "fps = 60\nbitrate = 8\n").unwrap();
        settings.save(Settings { full_screen: true, ..*settings.settings() }).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "fps = 60\nbitrate = 8\nfull_screen = true\n");
    }

    #[test]
    fn a_link_stays_a_link_and_rights_stay_as_they_were() {
        let (folder, kept) = file("fps = 30\n");
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o640)).unwrap();
        let link = folder.path().join("link.toml");
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        let mut settings = open(&link);
        settings.save(Settings { fps: Some(50), ..*settings.settings() }).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&kept).unwrap(), "fps = 50\n");
        assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
    }

    #[test]
    fn nothing_is_written_where_nothing_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        let mut settings = open(&path);
        settings.save(Settings::default()).unwrap();
        assert!(!path.exists());
    }
}
