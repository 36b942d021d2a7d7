// The one suite that every Source passes. A new source adds a HostKind in hosts.cc and nothing
// else.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "lazyvol/source.h"
#include "source/calls.h"

namespace lazyvol::source {

/// A tree at some origin, which the tests fill and change by its own means.
class Host {
 public:
  virtual ~Host() = default;
  /// Writes a file whole, with this mtime; parents are made.
  virtual void put(const std::string& path, std::string_view bytes, std::int64_t mtime_s) = 0;
  virtual void make_directory(const std::string& path) = 0;
  virtual void make_symlink(const std::string& path, const std::string& target) = 0;
  virtual void remove(const std::string& path) = 0;
  virtual std::shared_ptr<Source> open(Rig& rig) = 0;
  /// Takes the origin out of reach, and back. Only with HostKind::can_go_down.
  virtual void go_down() {}
  virtual void come_back() {}
};

/// What the tests must know of an origin beyond the contract.
struct HostKind {
  std::string name;
  std::function<std::unique_ptr<Host>()> make;
  bool lists_identity = false;     ///< listings give size, mtime and validator
  bool lists_rows = true;          ///< else: listings give a token that follows date and size
  bool lists_hidden = true;        ///< names that begin with a dot
  bool keeps_raw_names = true;     ///< names that are not UTF-8
  bool symlinks_are_data = false;  ///< else: they are followed
  bool reads_ranges = true;        ///< else: every read delivers the whole file
  bool settles_by_mtime = true;    ///< else: by when the change was made, whatever mtime says
  bool sets_mtime = true;          ///< put()'s mtime; else: when the put was made
  bool has_symlinks = true;
  bool settles_at_once = false;  ///< the validator of a listing cannot miss a change
  bool can_go_down = false;
};

std::vector<HostKind> host_kinds();

/// Names a kind in gtest's messages.
inline void PrintTo(const HostKind& kind, std::ostream* out) {
  *out << kind.name;
}

class SourceConformance : public ::testing::TestWithParam<HostKind> {
 protected:
  SourceConformance() : host_(GetParam().make()) {}
  /// Opened at the first call: fill the host before.
  Source& source();
  /// Closed and opened again, as by a restart.
  Source& reopened();

  Rig rig_;
  std::unique_ptr<Host> host_;

 private:
  std::shared_ptr<Source> source_;
};

}  // namespace lazyvol::source
