// The commands as functions, so that tests run command lines in-process.
//
// Exit status of `lazyvol`:
//   0   done
//   1   the command failed: no daemon, a file that could not be fetched, damaged blocks found …
//   2   usage: unknown command or option, missing argument, a value or SOURCE that makes no sense
//   32  nothing was mounted or unmounted (as mount(8))
//   130, 143  publish, revisions, diff, verify, gc: stopped in order by SIGINT, by SIGTERM
// Exit status of `mount.lazyvol`, as mount(8) has it:
//   0   mounted      1   usage or permission      2   system error      32  mount failure
// Exit status of `lazyvold`: 0 stopped or started as asked, 1 could not start, 2 usage.
// A failure prints exactly one line on `err`, "lazyvol: …".
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace lazyvol::daemon {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitMountFailure = 32;

struct Console {
  std::ostream& out;
  std::ostream& err;
  bool terminal = false;  ///< `out` is a terminal: progress is drawn in place
};

/// `arguments` without the program's name.
int lazyvol_main(const std::vector<std::string>& arguments, Console console);
int mount_lazyvol_main(const std::vector<std::string>& arguments, Console console);
int lazyvold_main(const std::vector<std::string>& arguments, Console console);

/// The arguments of main(), and a console on the process's own streams.
std::vector<std::string> arguments_of(int argc, char** argv);
Console process_console();

}  // namespace lazyvol::daemon
