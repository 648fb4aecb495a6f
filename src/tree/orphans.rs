//! Reaping what this library ended, where its orphans come to this process: as pid 1, or as a subreaper (PR_SET_CHILD_SUBREAPER).
//!
//! Such an orphan is a zombie that only this process can reap, and its host does not know of it. A wait by the descriptor that the tree
//! holds reaps this one process, whatever became of its number. It reaps only
//! - processes that another process started: a child that the host itself started and waits for is never one of them;
//! - processes that got a request or a kill from here.
//!
//! The kernel gives the children of a process away before it tells the end of that process. So when all of a tree have ended, all orphans
//! have arrived. What has not ended when the tree is dropped is left to the reaper's thread. A process without a descriptor is not reaped.

use super::known::Tree;
use super::member::Origin;
use super::system::System;

impl<S: System> Drop for Tree<S> {
    fn drop(&mut self) {
        let ended_here = self.members.drain(..).filter(|it| it.origin == Origin::Descendant && it.delivery.is_done);
        let handles: Vec<S::Handle> = ended_here.filter_map(|it| it.handle).collect();
        if !handles.is_empty() {
            self.system.reap(handles);
        }
    }
}
