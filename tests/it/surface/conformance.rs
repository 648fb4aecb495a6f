//! What the suites of other subprocess libraries check, and what was measured to go wrong in them.
//!
//! The tables say where each behaviour is tested here, or why it is not. `commands` and `runs` hold what no other test holds.
//! Where this library answers differently from the other one, the test asserts this library's answer and says so.
//!
//! | duct's own suite | tested by |
//! |---|---|
//! | 1 words of the macro; 18 kinds of text and path | `words` |
//! | 2 a shell text | `commands::a_shell_gets_its_text_as_it_is` |
//! | 3 two jobs at once; 30 race soak | `bytes::flow::jobs_that_…`, `launch::descriptors::no_undeclared_fd_…` |
//! | 4 to 7 failures, unchecked stages, precedence | `status` |
//! | 8 nested pipes; an endless writer on the left | `runs::operator_method_and_iterator_…`; `status` |
//! | 9, 11, 31, 32 kill, wait, signals | `job`, `job::ends`; `runs::a_signal_reaches_…`, `runs::a_kill_between_…` |
//! | 10 spawn failure left and right | `launch::failure` |
//! | 12, 29 waits with a limit | `job::a_wait_that_runs_out_ends_nothing` |
//! | 13 stdin bytes, unread | `bytes::broken_pipe` |
//! | 14 a given pipe ends with the run | `bytes::streams::one_shot` |
//! | 15, 16, 19 null, paths, captures | `bytes::streams::redirects` |
//! | 17 merges in both directions | `launch::closed`, `plan`, `bytes::order`; both at once: `commands::both_merges_…` |
//! | 18 an open file, from its offset | `launch::wiring::documents` |
//! | 20, 21 relative program, a path of one component | `launch::path` |
//! | 22 environment | `commands::the_environment_…` |
//! | 23 hooks before spawn | not offered: typed attributes; their order is the library's |
//! | 24 a grandchild holds a pipe | `runs::a_grandchild_on_a_pipe_…`; `time::eof_grace` |
//! | 25, 26 readers, pids | `runs::a_reader_has_its_job_…` |
//! | 27 `Debug` text | `commands::display_and_debug_…` |
//! | 28 dropped handles | `time::drops` |
//!
//! | shared_child, os_pipe, sigchld, wait-timeout | tested by |
//! |---|---|
//! | waits out of band, with zero timeout | `runs::an_exit_that_was_is_seen_…` |
//! | waiters beside a kill, a limit beside a waiter, race soak | `job`, `job::streams` |
//! | ends are taken once | `job::streams` |
//! | pipes: small, empty, 1 MB; clones; close-on-exec | `commands::a_kernel_pipe_…` |
//! | the parent's own streams stay | the end check of every test |
//! | no handler for SIGCHLD | `runs::no_signal_handler_…` |
//! | SIGCHLD ignored | `trees::stolen` |
//! | a thread that cannot be started | `runs::a_thread_that_cannot_start_…`, `closures::starting` |
//! | EMFILE midway; closed 0 to 2; argv[0] | `limits::exhausted`, `launch::{closed, attributes}` |
//!
//! | subprocess's own suite | tested by |
//! |---|---|
//! | 1 to 6 exit codes, missing programs, bad and odd words | `status`, `launch::{failure, image}`, `limits::names`, `words`; `commands::a_missing_program_…` |
//! | 7, 23 the printed line | the unit tests of `text::quote`, `secrets`, `launch::wiring::words`; `commands::display_and_debug_…` |
//! | 8, 9 shell form, argv[0] | `commands::a_shell_gets_…`, `launch::attributes` |
//! | 10 to 17 hooks and exec | not offered; `launch::replace` |
//! | 18 to 22 environment, directory | `commands::the_environment_…`, `commands::a_directory_on_a_pipeline_…` |
//! | 24 to 27, 37 to 45 streams, null, merges, feeding | `bytes::streams`, `bytes`, `job::streams` |
//! | 28 a merge on stdin | no such method |
//! | 29 to 35 sources at 0 to 2 | `launch::low`, `launch::wiring::{closed, permuted, exact}` |
//! | 36 null outputs beside a background process | `runs::a_grandchild_on_no_pipe_…` |
//! | 46 to 48 time limits | `time`, `job` |
//! | 49 to 54 reading in pieces, limits, after the end | `runs::a_reader_gives_…`, `bytes::streams::{limits, lines}` |
//! | 55 to 62 verbs, kinds of input | `verbs`, `bytes::streams`, `commands::every_kind_of_bytes_…` |
//! | 63 to 79 handles: waits, signals, groups, statuses, `Send` | `job`, `status`, `trees::stolen`, `launch::attributes`, the unit tests of `status` |
//! | 80 to 84 building pipelines | `runs::operator_method_and_iterator_…` |
//! | 85 to 87 the empty pipeline | `runs::an_empty_pipeline_…`, `status::nothing_at_all_succeeds` |
//! | 88 to 90 stderr of all stages | `runs::stderr_of_all_stages_…` |
//! | 91 to 96 ends, missing stages, policy, groups, time | `runs::ends_may_be_set_…`, `job::streams`, `plan`, `launch::failure`, `status`, `time` |
//!
//! | defect elsewhere | tested by |
//! |---|---|
//! | duct: the first of two calls counts; `read` trims every newline | `runs::of_two_calls_…`, `runs::read_cuts_one_newline` |
//! | duct: a file that cannot be opened is not named; output that is no text is lost | `error_texts`, `bytes::streams::lines` |
//! | duct: a wait of `Duration::MAX` panics | `time::a_timeout_too_long_…`, `job` |
//! | duct: a stream's end is seen after the exit alone | `runs::the_end_of_a_taken_stream_…` |
//! | duct: a dropped reader leaves a zombie; `lines` never end | `bytes::streams::lines` |
//! | duct: `dir` changes argv[0]; env changes cost a fork | `launch::attributes`, `cost::engine` |
//! | subprocess: a timeout that waits, that data or a blocked reader puts off | `time`, `bytes::stuck` |
//! | subprocess: POLLERR alone is taken for a timeout | `runs::a_closed_stdin_under_a_large_feed_…` |
//! | subprocess: a failing start waits for earlier stages | `launch::failure` |
//! | subprocess, assert_cmd, xshell: a grandchild keeps capture and timeout | `time`, `time::eof_grace` |
//! | subprocess: EACCES masked; ignored signals inherited | `launch::{path, signals}` |
//! | subprocess: environment as of the builder | `commands::the_environment_…` |
//! | subprocess: a signal stops at the first refusal | `runs::a_signal_reaches_…` |
//! | subprocess: pipelines drop settings; a stage's stderr is ignored | `runs::operator_method_…`, `runs::stderr_of_all_stages_…` |
//! | cmd_lib: a middle stage's stderr blocks; empty arguments dropped | `bytes::flow`, `words` |
//! | xshell: the deadline starts with the builder | `runs::a_timeout_starts_with_the_verb` |
//! | process-wrap: one wait reaps another's child | `runs::a_wait_reaps_its_own_child_alone` |
//! | wait-timeout, std: a full pipe that is not read holds up the wait | `job::streams` |
//! | none of them: a storm of signals; ETXTBSY; ENOEXEC | `runs::a_storm_of_signals_…`, `limits::busy`, `launch::image` |

mod commands;
mod runs;
