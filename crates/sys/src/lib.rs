//! System calls: every unsafe line of the workspace.
