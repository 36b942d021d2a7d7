#include "git/blob_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "git/files.h"
#include "source/dir_root.h"

namespace lazyvol::git {

namespace fs = std::filesystem;

Result<std::unique_ptr<BlobReader>> BlobReader::open(Settings settings) {
  std::error_code failure;
  fs::remove_all(settings.scratch, failure);
  LAZYVOL_TRY(make_private_directory(settings.scratch));
  return std::unique_ptr<BlobReader>(new BlobReader(std::move(settings)));
}

// A program that failed in any way is not used again: nobody knows what it would answer next.
template <class Work>
auto BlobReader::with_program(Work work) -> decltype(work(std::declval<CatFile&>())) {
  std::unique_ptr<CatFile> program;
  std::uint64_t generation = 0;
  {
    auto idle = idle_.lock();
    generation = idle->generation;
    if (!idle->programs.empty()) {
      program = std::move(idle->programs.back());
      idle->programs.pop_back();
    }
  }
  if (!program) {
    LAZYVOL_TRY_ASSIGN(program, CatFile::start(settings_.cat_file, stop_.get_token()));
  }
  auto result = work(*program);
  if (result.ok()) {
    auto idle = idle_.lock();
    if (idle->generation == generation) idle->programs.push_back(std::move(program));
  }
  return result;
}

void BlobReader::forget_packs() {
  std::vector<std::unique_ptr<CatFile>> ended;
  auto idle = idle_.lock();
  ++idle->generation;
  ended.swap(idle->programs);
  idle.unlock();
}

Result<std::vector<std::optional<std::uint64_t>>> BlobReader::sizes(
    std::span<const std::string> ids) {
  return with_program([&](CatFile& program) { return program.sizes(ids); });
}

Result<std::string> BlobReader::read(const std::string& id, std::uint64_t most) {
  return with_program([&](CatFile& program) -> Result<std::string> {
    std::string bytes;
    LAZYVOL_TRY(program.read(id, [&](std::string_view piece) -> Status {
      if (bytes.size() + piece.size() > most) {
        return Error{Code::too_large,
                     "the blob " + id + " has more than " + std::to_string(most) + " bytes"};
      }
      bytes.append(piece);
      return {};
    }));
    return bytes;
  });
}

bool BlobReader::use_scratch(const std::string& id) {
  auto scratch = scratch_.lock();
  const auto found = scratch->found.find(id);
  if (found == scratch->found.end()) return false;
  scratch->order.splice(scratch->order.begin(), scratch->order, found->second);
  return true;
}

// Who reads a file that is removed here has it open, and reads on.
void BlobReader::add_scratch(const std::string& id, std::uint64_t bytes) {
  auto scratch = scratch_.lock();
  if (scratch->found.contains(id)) return;
  scratch->order.emplace_front(id, bytes);
  scratch->found.emplace(id, scratch->order.begin());
  scratch->bytes += bytes;
  while (scratch->bytes > settings_.scratch_bytes && scratch->order.size() > 1) {
    const auto [old, size] = scratch->order.back();
    ::unlink((settings_.scratch / old).c_str());
    scratch->bytes -= size;
    scratch->found.erase(old);
    scratch->order.pop_back();
  }
}

Result<std::uint64_t> BlobReader::write_scratch(const std::string& id, const std::string& path) {
  const source::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.get() < 0) return errno_error(errno, "create " + path);
  return with_program([&](CatFile& program) -> Result<std::uint64_t> {
    std::uint64_t sum = 0;
    LAZYVOL_TRY(program.read(id, [&](std::string_view piece) -> Status {
      sum += piece.size();
      while (!piece.empty()) {
        const ssize_t wrote = ::write(file.get(), piece.data(), piece.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return errno_error(errno, "write " + path);
        piece.remove_prefix(static_cast<std::size_t>(wrote));
      }
      progress_.store(std::chrono::steady_clock::now().time_since_epoch().count(),
                      std::memory_order_relaxed);
      return {};
    }));
    return sum;
  });
}

Status BlobReader::inflate(const std::string& id) {
  static std::atomic<unsigned> number{0};
  if (use_scratch(id)) return {};
  const std::string path =
      (settings_.scratch / (".new-" + std::to_string(number.fetch_add(1)))).string();
  const auto size = write_scratch(id, path);
  if (!size.ok()) {
    ::unlink(path.c_str());
    return size.error();
  }
  if (::rename(path.c_str(), (settings_.scratch / id).c_str()) != 0) {
    return errno_error(errno, "rename " + path);
  }
  add_scratch(id, *size);
  return {};
}

}  // namespace lazyvol::git
