// The one suite that every Store passes. A new store instantiates it and adds nothing.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "publish/store.h"

namespace lazyvol::publish {

/// A place that is empty at first and may be opened several times, as by several processes.
class StorePlace {
 public:
  virtual ~StorePlace() = default;
  virtual std::unique_ptr<Store> open() = 0;
};

struct StoreKind {
  std::string name;
  std::function<std::unique_ptr<StorePlace>()> make;
};

/// Names a kind in gtest's messages.
inline void PrintTo(const StoreKind& kind, std::ostream* out) {
  *out << kind.name;
}

class StoreConformance : public ::testing::TestWithParam<StoreKind> {
 protected:
  StoreConformance() : place_(GetParam().make()), store_(place_->open()) {}
  /// Writes an object in `parts`.
  void put(const std::string& path, const std::vector<std::string>& parts);
  /// A whole object or document; fails the test when it cannot be read.
  std::string get(const std::string& path);
  std::vector<std::string> paths(const std::string& prefix);

  std::unique_ptr<StorePlace> place_;
  std::unique_ptr<Store> store_;
};

}  // namespace lazyvol::publish
