// A planted bug. This target succeeds only when the fuzzer finds it: proof that the others could
// fail.
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "fuzz_target.h"

// Forks before the fuzzing begins: the child fuzzes, the parent judges how it ended.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const pid_t child = ::fork();
  if (child == 0) return 0;
  int status = 0;
  const bool ended = child > 0 && ::waitpid(child, &status, 0) == child;
  const bool crashed = ended && (!WIFEXITED(status) || WEXITSTATUS(status) != 0);
  std::fprintf(stderr, crashed ? "The planted bug was found, as it must be.\n"
                               : "The planted bug was NOT found: this rig cannot fail.\n");
  ::_exit(crashed ? 0 : 1);
}

// Reads one byte past a heap buffer, behind four comparisons that coverage has to lead through.
int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || data[0] != 'l' || data[1] != 'a' || data[2] != 'z' || data[3] != 'y') return 0;
  const auto copy = std::make_unique<std::uint8_t[]>(size);
  const volatile std::uint8_t* bytes = copy.get();
  return bytes[size] == 0 ? 0 : 0;
}
