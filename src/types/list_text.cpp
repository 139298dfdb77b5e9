// Reading and writing of list_text.hpp.
#include "types/list_text.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "pg/compat.hpp"

namespace vecidx {
namespace {

// Literals longer than this are cut in messages.
constexpr int kExcerptBytes = 80;

constexpr bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

constexpr bool ends_number(char c) {
    return c == ',' || c == ']' || c == '\0' || is_blank(c);
}

// The whole literal into out, n counting the values. False after a soft error.
bool read_brackets(TextReader& reader, std::span<float> out, std::size_t& n) {
    if (!reader.accept('[')) return reader.fail_expected("\"[\"");
    if (reader.accept(']')) return check_dims(reader.type(), 0, reader.soft());
    do {
        if (n == out.size()) return check_dims(reader.type(), n + 1, reader.soft());
        if (!reader.read_float(out[n])) return false;
        n++;
    } while (reader.accept(','));
    return (reader.accept(']') || reader.fail_expected("\",\" or \"]\"")) && reader.read_end();
}

}  // namespace

void TextReader::skip_blanks() {
    while (is_blank(*at_)) at_++;
}

bool TextReader::accept(char c) {
    skip_blanks();
    if (*at_ != c) return false;
    at_++;
    return true;
}

// from_chars takes plain decimals, several times faster than strtof. What it leaves (plus signs, hexadecimal
// digits, range errors) is for strtof to judge.
bool TextReader::read_float(float& value) {
    skip_blanks();
    const auto [stop, error] = std::from_chars(at_, end_, value);
    if (error == std::errc{} && ends_number(*stop)) {
        at_ = stop;
        return true;
    }

    char* number_end;
    errno = 0;
    value = std::strtof(at_, &number_end);
    if (number_end == at_) return fail_expected("a number");
    if (errno == ERANGE && std::isinf(value)) return fail_range(number_end);
    at_ = number_end;
    return true;
}

bool TextReader::read_end() {
    skip_blanks();
    return *at_ == '\0' || fail_expected("end of input");
}

bool TextReader::fail_expected(const char* what) {
    const int length = pg_mbcliplen(begin_, static_cast<int>(end_ - begin_), kExcerptBytes);
    const char* dots = begin_ + length < end_ ? "..." : "";
    const int position = pg_mbstrlen_with_len(begin_, static_cast<int>(at_ - begin_)) + 1;
    const char* found = at_ == end_ ? "end of input" : psprintf("\"%.*s\"", pg_mblen(at_), at_);
    errsave(soft_, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
            errmsg("invalid input syntax for type %s: \"%.*s%s\"", type_.name, length, begin_, dots),
            errdetail("Expected %s at character %d, found %s.", what, position, found));
    return false;
}

bool TextReader::fail_range(const char* number_end) {
    const int length = std::min(static_cast<int>(number_end - at_), kExcerptBytes);
    const int position = pg_mbstrlen_with_len(begin_, static_cast<int>(at_ - begin_)) + 1;
    errsave(soft_, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
            errmsg("\"%.*s\" is out of range for type %s", length, at_, type_.name),
            errdetail("The number stands at character %d.", position));
    return false;
}

std::size_t count_list_values(const char* literal) {
    return 1 + static_cast<std::size_t>(std::count(literal, literal + std::strlen(literal), ','));
}

std::size_t read_list(TextReader& reader, std::span<float> out) {
    std::size_t n = 0;
    const bool well_formed = read_brackets(reader, out, n);
    return well_formed && check_finite(reader.type(), out.first(n), reader.soft()) ? n : 0;
}

char* write_list(std::span<const float> values) {
    // A number with the comma or bracket behind it, the opening bracket, the zero byte.
    auto* literal = static_cast<char*>(palloc(values.size() * FLOAT_SHORTEST_DECIMAL_LEN + 2));
    char* at = literal;
    *at++ = '[';
    for (const float value : values) {
        at += float_to_shortest_decimal_bufn(value, at);
        *at++ = ',';
    }
    at[-1] = ']';
    *at = '\0';
    return literal;
}

}  // namespace vecidx
