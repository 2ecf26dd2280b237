//! By topic.
