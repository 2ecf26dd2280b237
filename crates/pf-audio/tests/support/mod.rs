//! A real PulseAudio of a test's own, and something that plays on it.

use std::{
    f64::consts::TAU,
    fs,
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use pf_audio::{
    CHANNELS, FrameLength, RATE, Server, SoundError, Stop,
    capture::{Capture, CaptureConfig},
    output::Output,
};
use tempfile::TempDir;

/// Longer than anything here takes on a machine that does everything at once.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A PulseAudio that only this test knows, with outputs that play into nothing; the first is the default one.
pub(crate) struct PulseAudio {
    home: TempDir,
    outputs: Vec<&'static str>,
    process: Child,
}

impl PulseAudio {
    pub(crate) fn start(outputs: &[&'static str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let process = spawn(home.path(), outputs);
        let server = Self { home, outputs: outputs.to_vec(), process };
        server.wait();
        server
    }

    pub(crate) fn server(&self) -> Server {
        Server { socket: self.home.path().join("socket"), cookie: None }
    }

    /// Kills it, as if it had crashed.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        _ = fs::remove_file(self.home.path().join("socket"));
    }

    pub(crate) fn restart(&mut self) {
        self.process = spawn(self.home.path(), &self.outputs);
        self.wait();
    }

    /// Runs pactl, and returns what it prints.
    pub(crate) fn pactl(&self, arguments: &[&str]) -> String {
        let output = self.client("pactl").args(arguments).output().unwrap();
        assert!(output.status.success(), "pactl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
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
        Capture::open(config, stop).unwrap()
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
            .expect("pacat: install pulseaudio-utils");
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

    fn wait(&self) {
        let deadline = Instant::now() + PATIENCE;
        let stop = Stop::new().unwrap();
        loop {
            let config =
                CaptureConfig { server: self.server(), output: Output::Default, length: FrameLength::Ms10 };
            match Capture::open(config, &stop) {
                Ok(_) if self.outputs().len() == self.outputs.len() => return,
                Ok(_) | Err(SoundError::Unreachable { .. } | SoundError::NoOutput) => {}
                Err(error) => panic!("PulseAudio: {error}"),
            }
            assert!(Instant::now() < deadline, "PulseAudio does not come up");
            thread::yield_now();
        }
    }
}

impl Drop for PulseAudio {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn spawn(home: &Path, outputs: &[&str]) -> Child {
    let mut command = Command::new("pulseaudio");
    command
        .args([
            "--system=false",
            "--daemonize=no",
            "--use-pid-file=no",
            "--exit-idle-time=-1",
            "--log-level=error",
            "-n",
        ])
        .arg("-L")
        .arg(format!(
            "module-native-protocol-unix socket={} auth-anonymous=1",
            home.join("socket").display()
        ));
    for output in outputs {
        command.arg("-L").arg(format!("module-null-sink sink_name={output} rate=48000"));
    }
    command.env("HOME", home).env("XDG_RUNTIME_DIR", home).env_remove("PULSE_SERVER").stderr(Stdio::null());
    command.spawn().expect(
        "pulseaudio: these tests want pulseaudio and pulseaudio-utils, as `cargo xtask test` installs",
    )
}

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

/// A tone for [`PulseAudio::play`].
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
