// The text form `[1,2.5,-3e-2]` of a list of numbers, which dense vector types share.
//
// Blanks may stand around the brackets and the numbers. A number is what strtof takes, so `+1`, `1.` and
// `.5` are numbers; one too small for float is zero, one too large is an error.
#pragma once

#include <span>

#include "types/checks.hpp"

namespace vecidx {

// A cursor over one literal. Its reading functions return false after a soft error (see checks.hpp).
class TextReader {
  public:
    // The literal ends with a zero byte and is valid in the encoding of the database.
    TextReader(const char* literal, const TypeInfo& type, Node* soft)
        : begin_(literal), at_(literal), end_(literal + std::strlen(literal)), type_(type), soft_(soft) {}

    // Passes over blanks, and over c if it comes next.
    bool accept(char c);

    bool read_float(float& value);

    // Nothing but blanks may be left.
    bool read_end();

    // Reports that something else should stand here: invalid_text_representation, with the position counted
    // in characters from 1. Always false.
    bool fail_expected(const char* what);

    const TypeInfo& type() const { return type_; }
    Node* soft() const { return soft_; }

  private:
    void skip_blanks();
    bool fail_range(const char* number_end);

    const char* begin_;
    const char* at_;
    const char* end_;
    const TypeInfo& type_;
    Node* soft_;
};

// How many values a list in this text has, if it is well formed.
std::size_t count_list_values(const char* literal);

// Reads a whole literal. Writes at most out.size() values, which the caller has sized by count_list_values
// and the limit of the type. Returns their number, or 0 after a soft error. Errors:
// invalid_text_representation, numeric_value_out_of_range, and those of check_dims and check_finite.
std::size_t read_list(TextReader& reader, std::span<float> out);

// The text of a list, in the current memory context. Every number is the shortest that reads back as the
// same float.
char* write_list(std::span<const float> values);

}  // namespace vecidx
