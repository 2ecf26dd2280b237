//! Who may pair, connect, or is turned away: PIN ceremony, check code, admission policy, trust route.
