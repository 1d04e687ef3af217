// Sizes as LLVM code: checked arithmetic over the run-time extents of a call.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <map>
#include <vector>

#include "schedules/size.h"

namespace convc {

// Emits into the block at which the builder stands. What was emitted once serves again, so every later use must stand
// behind it.
class SizeCode {
public:
    // `extents`: const int64_t *, read as Size::argument() says; never read for sizes that are known.
    SizeCode(llvm::IRBuilder<> &builder, llvm::Value *extents) : builder_(builder), extents_(extents) {}

    llvm::Value *value(const Size &size);  // i64
    llvm::Value *overflowed();             // i1: whether any operation so far did

private:
    llvm::Value *operation(const Size::Node &node);
    llvm::Value *checked(unsigned intrinsic, llvm::Value *a, llvm::Value *b);

    llvm::IRBuilder<> &builder_;
    llvm::Value *extents_;
    llvm::Value *overflowed_ = nullptr;
    std::map<const Size::Node *, llvm::Value *> values_;
    std::vector<Size> kept_;  // or another node might come to lie where one of these was
};

}  // namespace convc
