// One revision of a published volume: names and ids looked up in its catalog, page by page.
//
// Absence is proved by a verified page; a page that is damaged or cannot be had is an error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/locked.h"
#include "catalog/descent.h"
#include "catalog/entry.h"
#include "catalog/head.h"
#include "catalog/interior_page.h"
#include "fetch/published_fetcher.h"
#include "lazyvol/request.h"

namespace lazyvol::volume {

/// Immutable but for what it fetches ahead; thread-safe. Answers inline when all pages are at hand,
/// else from a thread of the frame store's. Errors: those of FrameStore::get; corrupt.
class Revision : public std::enable_shared_from_this<Revision> {
 public:
  using Page = fetch::FrameBytes;
  template <class T>
  using Done = std::function<void(Result<T>)>;

  /// `switches`: how many revisions this mount showed before.
  Revision(catalog::HeadDocument document, std::shared_ptr<fetch::PublishedFetcher> fetcher,
           std::uint64_t switches);

  const catalog::Head& head() const { return document_.head; }
  const catalog::HeadDocument& document() const { return document_; }
  std::uint64_t switches() const { return switches_; }

  /// The directory that is mounted: set once, before anybody else sees the revision.
  void mount_directory(NodeId directory) { mounted_ = directory; }
  /// The mounted directory is shown as kRootNode; all other ids are the catalog's.
  NodeId shown(NodeId id) const { return id == mounted_ ? kRootNode : id; }
  NodeId in_catalog(NodeId shown) const { return shown == kRootNode ? mounted_ : shown; }

  // Ids are the catalog's below.

  /// nullopt: proved not to be there.
  void find(NodeId directory, const std::string& name, const RequestContext& ctx,
            Done<std::optional<catalog::Entry>> done) const;
  /// By its name that is no alias. The root has no entry.
  void find(NodeId id, const RequestContext& ctx, Done<std::optional<catalog::Entry>> done) const;
  /// The entry at a path below `directory`; nullopt for the path "". Errors also: not_found,
  /// not_directory.
  void locate(NodeId directory, std::string path, const RequestContext& ctx,
              Done<std::optional<catalog::Entry>> done) const;
  /// The leaf that holds the first key at or after `key`; null when there is none.
  void leaf(catalog::Tree tree, std::string key, const RequestContext& ctx, Done<Page> done) const;
  /// Fetches the pages by which these ids are found.
  void bring_ids(std::vector<NodeId> ids, const RequestContext& ctx,
                 std::function<void(Status)> done) const;
  /// The same as leaf(), of the tree of names, from memory and disk alone. nullopt: a page is not
  /// at hand.
  Result<std::optional<Page>> leaf_at_hand(std::string key) const;
  /// Shows the entries at or after (`directory`, `name`, any text), in the catalog's order and also
  /// of the directories that follow, until `visit` answers false or a page is not at hand.
  void visit_at_hand(NodeId directory, std::string name,
                     const std::function<bool(const catalog::Entry&)>& visit) const;
  /// Fetches the leaves that follow the one of names at `key`: the more, the longer somebody goes
  /// through the tree in its order.
  void fetch_ahead(const std::string& key, RequestContext ctx) const;

 private:
  struct Ahead {
    std::string reached;      // last key of the leaf that was asked about last
    std::string until;        // leaves up to this key have been fetched
    bool page_ended = false;  // the one that was reached is the last of its page
    std::size_t leaves = 0;
  };
  void descend(catalog::Descent descent, Page page, const RequestContext& ctx,
               Done<Page> done) const;
  void find_in_names(NodeId id, const Page& ids, const RequestContext& ctx,
                     Done<std::optional<catalog::Entry>> done) const;
  Result<std::optional<Page>> page_at_hand(catalog::Descent& descent, Page root) const;
  Result<std::vector<catalog::FrameRef>> leaves_ahead(const catalog::InteriorPage& interior,
                                                      std::size_t here) const;

  const catalog::HeadDocument document_;
  const std::shared_ptr<fetch::PublishedFetcher> fetcher_;
  const std::uint64_t switches_;
  const Page names_, ids_;  // the roots
  NodeId mounted_ = kRootNode;
  mutable base::Locked<Ahead> ahead_;
};

}  // namespace lazyvol::volume
