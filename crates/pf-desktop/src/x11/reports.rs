//! How closely the X server reports what is drawn.
//!
//! Usually it says where: one event for each rectangle that is drawn on for the first time since the last reset. A
//! program that draws a thousand dots makes a thousand events of that, which take longer than fetching the whole screen
//! does. So when there were very many for one picture, the server is asked for one event at the first change only,
//! for a while.
//!
//! To begin anew counts as a change of the whole screen, so that nothing is missed in between.

use std::ops::Range;
use std::time::{Duration, Instant};

use pf_media::picture::Size;
use x11rb::connection::{Connection as _, SequenceNumber};
use x11rb::errors::ConnectionError;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, NotifyEvent, ReportLevel};
use x11rb::protocol::xproto::{Rectangle, Window};

use super::link::{Link, LinkError};

/// The reports of what is drawn on one window and all within it.
pub(super) struct Reports {
    root: Window,
    damage: Damage,
    detail: Detail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Where something was drawn; and how many reports there were of that since the last picture.
    Where { reports: u32 },
    /// Only that something was drawn, until then.
    Whether { until: Instant },
}

impl Reports {
    /// Asks for reports of drawing on `root`.
    pub(super) fn start(link: &Link, root: Window) -> Result<Self, LinkError> {
        let detail = Detail::Where { reports: 0 };
        Ok(Self { root, damage: begin(link, root, detail)?, detail })
    }

    /// The rows of a picture of `size` that a report tells of.
    pub(super) fn rows(&mut self, report: &NotifyEvent, size: Size) -> Range<u32> {
        // One that is still on its way when the detail changes means what it meant when it was sent.
        if report.level == ReportLevel::NON_EMPTY {
            return 0..size.height;
        }
        if let Detail::Where { reports } = &mut self.detail {
            *reports += 1;
        }
        rows_of(report.area, size)
    }

    /// Has the server report drawing anew from now on; the number of that request.
    pub(super) fn reset(&self, link: &Link) -> Result<SequenceNumber, ConnectionError> {
        let reset = link.connection.damage_subtract(self.damage, x11rb::NONE, x11rb::NONE)?;
        Ok(reset.sequence_number())
    }

    /// Asks for more or less detail after a picture, as what was reported for it suggests.
    pub(super) fn adapt(&mut self, link: &Link, now: Instant) -> Result<(), LinkError> {
        let next = self.detail.next(now);
        if std::mem::discriminant(&next) != std::mem::discriminant(&self.detail) {
            link.connection.damage_destroy(self.damage)?;
            self.damage = begin(link, self.root, next)?;
        }
        self.detail = next;
        Ok(())
    }
}

impl Detail {
    /// What to ask for after a picture.
    fn next(self, now: Instant) -> Self {
        match self {
            Self::Where { reports } if reports > FLOOD => Self::Whether { until: now + RESPITE },
            Self::Whether { until } if until > now => self,
            Self::Where { .. } | Self::Whether { .. } => Self::Where { reports: 0 },
        }
    }
}

fn begin(link: &Link, root: Window, detail: Detail) -> Result<Damage, LinkError> {
    let level = match detail {
        Detail::Where { .. } => ReportLevel::DELTA_RECTANGLES,
        Detail::Whether { .. } => ReportLevel::NON_EMPTY,
    };
    let damage = link.connection.generate_id()?;
    link.connection.damage_create(damage, root, level)?;
    Ok(damage)
}

/// The rows of a picture of `size` that `area` is in.
fn rows_of(area: Rectangle, size: Size) -> Range<u32> {
    let row = |y: i32| u32::try_from(y).unwrap_or(0).min(size.height);
    row(area.y.into())..row(i32::from(area.y) + i32::from(area.height))
}

/// How many reports for one picture are too many: to take them in takes about as long as to fetch 720 rows.
const FLOOD: u32 = 100;

/// How long to do without detail after a flood. Each try costs one picture that is late.
const RESPITE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_answered_by_a_while_without_detail() {
        let now = Instant::now();
        let calm = Detail::Where { reports: 0 };
        assert_eq!(Detail::Where { reports: FLOOD }.next(now), calm);
        let respite = Detail::Where { reports: FLOOD + 1 }.next(now);
        assert_eq!(respite, Detail::Whether { until: now + RESPITE });
        assert_eq!(respite.next(now + RESPITE / 2), respite);
        assert_eq!(respite.next(now + RESPITE), calm);
    }

    /// A window that hangs over the edge of the screen, and a report from before the screen shrank.
    #[test]
    fn what_lies_beside_the_picture_has_no_rows_in_it() {
        let area = |y, height| rows_of(Rectangle { x: -5, y, width: 10, height }, Size::new(320, 240));
        assert_eq!(area(10, 20), 10..30);
        assert_eq!(area(-10, 30), 0..20);
        assert_eq!(area(230, 30), 230..240);
        assert_eq!(area(i16::MAX, u16::MAX), 240..240);
        assert_eq!(area(i16::MIN, 5), 0..0);
    }
}
