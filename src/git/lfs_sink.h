// What comes of an LFS object, checked before it is shown.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "git/object_name.h"
#include "lazyvol/source.h"

namespace lazyvol::git {

/// Passes a read of an object on to `sink`. The object's size must be the pointer's. A
/// read of all of one of up to kMaxInMemory is held until its SHA-256 has been compared (corrupt);
/// of parts of longer ones no hash is known. Thread rule: a ReadSink's.
class LfsSink final : public ReadSink {
 public:
  /// `name`: the object's in the catalog, which is the validator.
  LfsSink(std::string name, LfsPlace place, const ReadRequest& request,
          std::shared_ptr<ReadSink> sink);
  Flow on_start(const ReadStart& start) override;
  Flow on_data(std::span<const std::byte> data) override;
  /// What another try does not mend becomes hopeless().
  void on_done(Status status) override;

 private:
  Status verify() const;

  const std::string name_;
  const LfsPlace place_;
  const std::shared_ptr<ReadSink> sink_;
  const bool held_;
  ReadStart start_;
  std::string bytes_;  ///< when held
  std::optional<Error> error_;
};

}  // namespace lazyvol::git
