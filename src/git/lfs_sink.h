// What comes of an LFS object, checked before it is shown.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "git/cat_file.h"
#include "git/object_name.h"
#include "lazyvol/source.h"

namespace lazyvol::git {

/// Passes a read of an object on to `sink`. The object's size must be the pointer's. One of up to
/// kMaxInMemory is read whole and held until its SHA-256 has been compared (corrupt); of parts of
/// longer ones no hash is known. Thread rule: a ReadSink's.
class LfsSink final : public ReadSink {
 public:
  /// Gives the reader what it asked for of the object's bytes, and ends the read.
  using Deliver = std::function<void(std::string bytes)>;

  /// `name`: the object's in the catalog, which is the validator. `request` ends within the object.
  LfsSink(std::string name, LfsPlace place, const ReadRequest& request,
          std::shared_ptr<ReadSink> sink, Deliver deliver);
  /// What is to be read, without a path.
  ReadRequest request() const;
  Flow on_start(const ReadStart& start) override;
  Flow on_data(std::span<const std::byte> data) override;
  /// What another try does not mend becomes hopeless().
  void on_done(Status status) override;

 private:
  bool held() const { return place_.object.size <= kMaxInMemory; }
  Status verify() const;

  const std::string name_;
  const LfsPlace place_;
  const std::uint64_t offset_, length_;
  // Let go with on_done: what they hold may hold this.
  std::shared_ptr<ReadSink> sink_;
  Deliver deliver_;
  std::string bytes_;  ///< when held
  std::optional<Error> error_;
};

}  // namespace lazyvol::git
