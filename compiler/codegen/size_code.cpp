// Sizes as LLVM code; the counterpart of Size::evaluate().
#include "compiler/codegen/size_code.h"

#include <llvm/IR/Intrinsics.h>

namespace convc {

llvm::Value *SizeCode::value(const Size &size) {
    if (size.known()) return builder_.getInt64(static_cast<uint64_t>(int64_t{size}));
    const auto [entry, is_new] = values_.emplace(size.node(), nullptr);
    if (!is_new) return entry->second;
    llvm::Value *value = operation(*size.node());
    kept_.push_back(size);
    values_[size.node()] = value;
    return value;
}

llvm::Value *SizeCode::overflowed() {
    return overflowed_ != nullptr ? overflowed_ : builder_.getFalse();
}

llvm::Value *SizeCode::checked(unsigned intrinsic, llvm::Value *a, llvm::Value *b) {
    llvm::Value *both = builder_.CreateBinaryIntrinsic(static_cast<llvm::Intrinsic::ID>(intrinsic), a, b);
    llvm::Value *flag = builder_.CreateExtractValue(both, 1);
    overflowed_ = overflowed_ != nullptr ? builder_.CreateOr(overflowed_, flag) : flag;
    return builder_.CreateExtractValue(both, 0);
}

llvm::Value *SizeCode::operation(const Size::Node &node) {
    if (node.kind == Size::Kind::argument) {
        llvm::Value *at =
            builder_.CreateConstInBoundsGEP1_64(builder_.getInt64Ty(), extents_, static_cast<uint64_t>(node.index));
        return builder_.CreateLoad(builder_.getInt64Ty(), at);
    }
    llvm::Value *a = value(node.a), *b = value(node.b);
    switch (node.kind) {
        case Size::Kind::sum:
            return checked(llvm::Intrinsic::sadd_with_overflow, a, b);
        case Size::Kind::difference:
            return checked(llvm::Intrinsic::ssub_with_overflow, a, b);
        case Size::Kind::product:
            return checked(llvm::Intrinsic::smul_with_overflow, a, b);
        case Size::Kind::quotient:
            return builder_.CreateSDiv(a, b);
        case Size::Kind::maximum:
        case Size::Kind::argument:
            break;
    }
    return builder_.CreateSelect(builder_.CreateICmpSGT(a, b), a, b);
}

}  // namespace convc
