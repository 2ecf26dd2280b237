//! Video sources: synthetic, x11, and a virtual X display per session.
