// A cascade over the items of an index: one vector an item, then few pooled rows, then all rows, each for the best of before.
#pragma once
#include <vector>

#include "library.h"
#include "problem.h"
#include "threads.h"

namespace inflate_shrink {

struct CascadeQueries {
  Queries each;    // every fragment of its own, in int8
  Queries pooled;  // of the second stage, if any
  Queries exact;
};

// What `query` asks of `collection`.
void run_cascade(const Path& path, const is_collection& collection, const is_cascade_query& query, const CascadeQueries& packed, Team& team,
                 const is_cascade_found& found);

}  // namespace inflate_shrink
