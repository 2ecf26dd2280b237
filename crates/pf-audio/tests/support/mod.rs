//! A real sound server of a test's own, PulseAudio or PipeWire, and something that plays on it.

use std::{
    f64::consts::TAU,
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use pf_audio::{
    CHANNELS, FrameLength, RATE, Server, Stop,
    capture::{Capture, CaptureConfig},
    output::Output,
};
use tempfile::TempDir;

/// Between two looks at something that is waited for.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Longer than anything here takes on a machine that does everything at once.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Which sound server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    PulseAudio,
    PipeWire,
}

/// A sound server that only this test knows, with outputs that play into nothing; the first is the default one.
pub(crate) struct SoundServer {
    kind: Kind,
    home: TempDir,
    outputs: Vec<&'static str>,
    processes: Vec<Child>,
}

impl SoundServer {
    pub(crate) fn start(kind: Kind, outputs: &[&'static str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut server = Self { kind, home, outputs: outputs.to_vec(), processes: Vec::new() };
        server.restart();
        server
    }

    pub(crate) fn server(&self) -> Server {
        Server { socket: self.path("pulse/native"), cookie: None }
    }

    /// Kills it, as if it had crashed.
    pub(crate) fn kill(&mut self) {
        for mut process in self.processes.drain(..).rev() {
            _ = process.kill();
            _ = process.wait();
        }
        for socket in ["pulse/native", "pipewire-0", "bus"] {
            _ = fs::remove_file(self.path(socket));
        }
    }

    /// Starts it, and waits until it is there with its outputs.
    pub(crate) fn restart(&mut self) {
        fs::create_dir_all(self.home.path().join("pulse")).unwrap();
        match self.kind {
            Kind::PulseAudio => {
                let socket = self.server().socket;
                let options =
                    ["--system=false", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "-n"];
                let protocol =
                    format!("module-native-protocol-unix socket={} auth-anonymous=1", socket.display());
                self.spawn("pulseaudio", &[&options[..], &["-L", &protocol]].concat());
            }
            Kind::PipeWire => {
                // The session manager wants both of these to be there when it starts.
                let bus = format!("--address=unix:path={}", self.path("bus").display());
                self.spawn("dbus-daemon", &["--session", "--nofork", "--nopidfile", &bus]);
                self.spawn("pipewire", &[]);
                self.wait_until("its parts are there", |server| {
                    server.path("bus").exists() && server.path("pipewire-0").exists()
                });
                self.spawn("wireplumber", &[]);
                self.spawn("pipewire-pulse", &[]);
            }
        }
        self.wait_until("it answers", |server| server.try_pactl(&["info"]).is_ok());
        for output in &self.outputs {
            self.pactl(&["load-module", "module-null-sink", &format!("sink_name={output}"), "rate=48000"]);
        }
        // PipeWire makes an output of its own until there is another, and takes its time to change the default.
        self.wait_until("its outputs are there", |server| server.outputs().len() == server.outputs.len());
        // PipeWire's session manager, which keeps the default, is the last to come up.
        self.wait_until("it takes a default output", |server| {
            server.try_pactl(&["set-default-sink", server.outputs[0]]).is_ok()
        });
        self.wait_until("it has its default output", |server| {
            server.pactl(&["get-default-sink"]).trim() == server.outputs[0]
        });
    }

    /// Runs pactl, and returns what it prints.
    pub(crate) fn pactl(&self, arguments: &[&str]) -> String {
        self.try_pactl(arguments).unwrap_or_else(|error| panic!("pactl {arguments:?}: {error}"))
    }

    fn try_pactl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.client("pactl").args(arguments).output().expect(INSTALL);
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The names of its outputs.
    pub(crate) fn outputs(&self) -> Vec<String> {
        let list = self.pactl(&["list", "short", "sinks"]);
        list.lines().filter_map(|line| line.split('\t').nth(1)).map(str::to_owned).collect()
    }

    /// Listens to its default output.
    pub(crate) fn listen(&self, stop: &Stop) -> Capture {
        let config =
            CaptureConfig { server: self.server(), output: Output::Default, length: FrameLength::Ms10 };
        Capture::new(config, stop)
    }

    /// Plays on `output` whatever `sample` says, by its number, until the value is dropped.
    pub(crate) fn play(&self, output: &str, sample: impl Fn(u64) -> f32 + Send + 'static) -> Player {
        let format = ["--raw", "--format=float32le", "--rate=48000", "--channels=2", "--latency-msec=40"];
        let mut process = self
            .client("pacat")
            .args(["--playback", "--device", output])
            .args(format)
            .stdin(Stdio::piped())
            .spawn()
            .expect(INSTALL);
        let mut pipe = process.stdin.take().unwrap();
        let feeder = thread::spawn(move || {
            for start in (0..).step_by(480) {
                let bytes: Vec<u8> = (start..start + 480)
                    .flat_map(|number| [sample(number); CHANNELS])
                    .flat_map(f32::to_le_bytes)
                    .collect();
                // Ends when pacat does.
                if pipe.write_all(&bytes).is_err() {
                    return;
                }
            }
        });
        Player { process, feeder: Some(feeder) }
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("PULSE_SERVER", format!("unix:{}", self.server().socket.display()))
            .env("HOME", self.home.path());
        command
    }

    /// Starts a program of the server, in a home of its own.
    fn spawn(&mut self, program: &str, arguments: &[&str]) {
        let home = self.home.path();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home)
            .env("PIPEWIRE_RUNTIME_DIR", home);
        command
            .env_remove("PULSE_SERVER")
            .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", self.path("bus").display()))
            .env_remove("DISPLAY");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.processes.push(command.spawn().expect(INSTALL));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "{:?}: waited in vain until {what}", self.kind);
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What is missing when a program cannot be started.
const INSTALL: &str =
    "these tests want pulseaudio, pulseaudio-utils, pipewire, pipewire-pulse and wireplumber";

/// A program that plays, until it is dropped.
pub(crate) struct Player {
    process: Child,
    feeder: Option<thread::JoinHandle<()>>,
}

impl Drop for Player {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
        if let Some(feeder) = self.feeder.take() {
            _ = feeder.join();
        }
    }
}

/// A tone for [`SoundServer::play`].
pub(crate) fn tone(hertz: f64) -> impl Fn(u64) -> f32 + Send + 'static {
    move |number| (0.5 * (number as f64 * hertz / f64::from(RATE) * TAU).sin()) as f32
}

/// The root of the mean square.
pub(crate) fn level(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|&value| f64::from(value).powi(2)).sum();
    (sum / samples.len() as f64).sqrt()
}

/// The pitch of a tone: how far apart the left channel rises through zero, the odd gap left out.
pub(crate) fn pitch(samples: &[f32]) -> f64 {
    let left: Vec<f32> = samples.iter().step_by(CHANNELS).copied().collect();
    let rises = (1..left.len()).filter(|&at| left[at - 1] < 0.0 && left[at] >= 0.0);
    // Where the line between the two samples crosses zero.
    let rises: Vec<f64> =
        rises.map(|at| at as f64 - f64::from(left[at] / (left[at] - left[at - 1]))).collect();
    let mut periods: Vec<f64> = rises.windows(2).map(|pair| pair[1] - pair[0]).collect();
    periods.sort_by(f64::total_cmp);
    let middle = &periods[periods.len() / 4..periods.len() * 3 / 4];
    f64::from(RATE) * middle.len() as f64 / middle.iter().sum::<f64>()
}
