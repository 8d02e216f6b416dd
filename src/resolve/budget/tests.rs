//! Properties of the replay and of many processes at once.
