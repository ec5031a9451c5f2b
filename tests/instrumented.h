// Stands in for kernel/prelude.h: integers that count what is done with them, for the proof that a kernel's
// own prices are right. The kernel's text is otherwise as it is, but for counters of loops (Loop), whose
// comparisons are not counted and which count themselves up in silence.
#include <type_traits>

static unsigned long long adds, muls;
enum { DIV_ADD = 4, DIV_MUL = 7 };

template <class T> struct Num;
template <class T> struct Loop;
template <class T> struct Raw { typedef T type; };
template <class T> struct Raw<Num<T>> { typedef T type; };
template <class T> struct Raw<Loop<T>> { typedef T type; };
template <class T> struct IsNum : std::false_type {};
template <class T> struct IsNum<Num<T>> : std::true_type {};
template <class T> struct IsLoop : std::false_type {};
template <class T> struct IsLoop<Loop<T>> : std::true_type {};
template <class T> constexpr bool scalar = std::is_arithmetic<typename Raw<T>::type>::value ||
                                           std::is_enum<typename Raw<T>::type>::value;
template <bool yes> using If = typename std::enable_if<yes, int>::type;
template <class A, class B>
using Counted = typename std::enable_if<(IsNum<A>::value || IsNum<B>::value) && scalar<A> && scalar<B>>::type;
template <class A, class B>
using Silent = typename std::enable_if<(IsNum<A>::value && IsLoop<B>::value) ||
                                       (IsLoop<A>::value && IsNum<B>::value)>::type;
template <class A, class B>
using Compared = typename std::enable_if<(IsNum<A>::value || IsNum<B>::value) && scalar<A> && scalar<B> &&
                                         !IsLoop<A>::value && !IsLoop<B>::value>::type;

template <class T> constexpr T raw(T x) { return x; }
template <class T> T raw(Num<T> x) { return x.v; }
template <class T> T raw(Loop<T> x) { return x.v; }
template <class R> void added() { adds += sizeof(R) > 4 ? 2 : 1; }
template <class R> void multiplied() { muls += sizeof(R) > 4 ? 2 : 1; }
// Divided by a constant of the source, a power of two: a shift or a mask.
template <class R, class B> void divided() {
  if (!IsNum<B>::value) return added<R>();
  adds += DIV_ADD * sizeof(R) / 4, muls += DIV_MUL * sizeof(R) / 4;
}

template <class T> struct Loop {
  T v;
  template <class U> explicit Loop(Num<U> x) : v((T)x.v) {}
  template <class U, class = typename std::enable_if<std::is_arithmetic<U>::value>::type>
  explicit Loop(U x) : v((T)x) {}
  operator T() const { return v; }
  Loop &operator++() { return ++v, *this; }
  Loop operator++(int) { Loop was = *this; v++; return was; }
  Loop operator--(int) { Loop was = *this; v--; return was; }
  template <class U> Loop &operator+=(U x) { return v += raw(x), *this; }
  template <class U> Loop &operator-=(U x) { return v -= raw(x), *this; }
  template <class U> Loop &operator*=(U x) { return v *= raw(x), *this; }
  Loop &operator=(int x) { return v = (T)x, *this; }
};

template <class T> struct Num {
  T v;
  Num() = default;
  template <class U, class = typename std::enable_if<scalar<U>>::type> Num(U x) : v((T)raw(x)) {}
  operator long() const { return (long)v; }  // an index
  template <class U, If<std::is_arithmetic<U>::value> = 0> explicit operator U() const { return (U)v; }
  Num &operator++() { return added<T>(), ++v, *this; }
  Num operator++(int) { Num was = *this; added<T>(), v++; return was; }
#define INTO(op)                                                       \
  template <class U> Num &operator op##=(U x) {                        \
    return *this = Num((T)(*this op x).v);                             \
  }
  INTO(+) INTO(-) INTO(*) INTO(&) INTO(|) INTO(^) INTO(<<) INTO(>>) INTO(/) INTO(%)
};

// A literal that is one of the two outcomes of a choice: it becomes what the other is.
struct Literal {
  long long v;
  template <class T> operator Num<T>() const { return Num<T>(v); }
  template <class T> operator Loop<T>() const { return Loop<T>(v); }
  template <class T> operator T *() const { return (T *)v; }
  template <class T, If<std::is_arithmetic<T>::value> = 0> operator T() const { return (T)v; }
};

#define BINARY(op, price)                                                              \
  template <class A, class B, class = Counted<A, B>> auto operator op(A a, B b) {      \
    typedef decltype(raw(a) op raw(b)) R;                                              \
    price;                                                                             \
    return Num<R>(raw(a) op raw(b));                                                   \
  }
BINARY(+, added<R>()) BINARY(-, added<R>()) BINARY(&, added<R>()) BINARY(|, added<R>())
BINARY(^, added<R>()) BINARY(<<, added<R>()) BINARY(>>, added<R>()) BINARY(*, multiplied<R>())
BINARY(/, (divided<R, B>())) BINARY(%, (divided<R, B>()))
#define COMPARISON(op)                                                                 \
  template <class A, class B, class = Compared<A, B>> bool operator op(A a, B b) {     \
    added<decltype(raw(a) + raw(b))>();                                                \
    return raw(a) op raw(b);                                                           \
  }                                                                                    \
  template <class A, class B, class = Silent<A, B>, int = 0> bool operator op(A a, B b) { \
    return raw(a) op raw(b);                                                           \
  }
COMPARISON(<) COMPARISON(>) COMPARISON(<=) COMPARISON(>=) COMPARISON(==) COMPARISON(!=)
template <class T> Num<T> operator-(Num<T> x) { return added<T>(), Num<T>(-x.v); }
template <class T> Num<T> operator~(Num<T> x) { return added<T>(), Num<T>(~x.v); }

typedef unsigned char u8;
typedef Num<signed int> i32;
typedef Num<unsigned int> u32;
typedef Num<signed long long> i64;
typedef Num<unsigned long long> u64;
#define DEVICE static
#define UNROLL
#define LONG
template <class T> u32 POPCOUNT(Num<T> x) { return added<T>(), u32(__builtin_popcountll(x.v)); }
template <class T> u32 LOWEST(Num<T> x) { return added<T>(), u32(__builtin_ctzll(x.v)); }
DEVICE void add64(i64 *to, i64 what) { to->v += what.v; }
DEVICE u32 acquire(const u32 *from) { return *from; }
#define COUNT(event, many) ((void)0)
