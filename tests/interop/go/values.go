// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
	"math/rand"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// value is one of compare.py: a list that begins with its type.
type value []any

// field is an attribute as it is handed to the SDK, and as it must come back.
type field struct {
	given attribute.KeyValue
	sent  value
}

func text(s string) value { return value{"string", s} }

func boolean(b bool) value { return value{"bool", b} }

func integer(n int64) value { return value{"int", strconv.FormatInt(n, 10)} }

func double(d float64) value {
	if math.IsNaN(d) {
		return value{"double", "NaN"}
	}
	return value{"double", fmt.Sprintf("%016x", math.Float64bits(d))}
}

func array[T any](of func(T) value, items []T) value {
	values := []value{}
	for _, item := range items {
		values = append(values, of(item))
	}
	return value{"array", values}
}

func textField(key, s string) field { return field{attribute.String(key, s), text(s)} }

func intField(key string, n int64) field { return field{attribute.Int64(key, n), integer(n)} }

func doubleField(key string, d float64) field { return field{attribute.Float64(key, d), double(d)} }

func boolField(key string, b bool) field { return field{attribute.Bool(key, b), boolean(b)} }

func textsField(key string, items ...string) field {
	return field{attribute.StringSlice(key, items), array(text, items)}
}

var letters = []string{"a", "ß", "流", "😀", `"`, `\`, "\n", "\u0001", " ", "z"}

func randomText(dice *rand.Rand, length int) string {
	var b strings.Builder
	for i := 0; i < length; i++ {
		b.WriteString(letters[dice.Intn(len(letters))])
	}
	return b.String()
}

type named string

func (n named) String() string { return "named " + string(n) }

// everyValue has one of each kind of value.
func everyValue(dice *rand.Rand) []field {
	big := []int64{1, -1, math.MaxInt64, math.MinInt64}
	doubles := []float64{0.5, math.NaN(), math.Inf(-1), 3}
	return []field{
		textField("text", randomText(dice, 1+dice.Intn(40))),
		textField("text.empty", ""),
		textField("text.emoji", "👩‍👩‍👧‍👦 🏳️‍🌈 𝒻𝓁ℴ𝓌 \x00 end"),
		textField("ключ 🔑", "a key beyond ASCII"),
		{attribute.Stringer("text.stringer", named("流")), text("named 流")},
		boolField("bool.true", true),
		boolField("bool.false", false),
		{attribute.Int("int", 1<<40), integer(1 << 40)},
		intField("int.random", dice.Int63()),
		intField("int.zero", 0),
		intField("int.negative", -1-dice.Int63()),
		intField("int.above.53", 1<<53+1),
		intField("int.largest", math.MaxInt64),
		intField("int.smallest", math.MinInt64),
		doubleField("double", dice.Float64()),
		doubleField("double.integral", 3),
		doubleField("double.negative", -1.5e-7),
		doubleField("double.largest", math.MaxFloat64),
		doubleField("double.lowest", -math.MaxFloat64),
		doubleField("double.tiny", math.SmallestNonzeroFloat64),
		doubleField("double.beyond.int", 1<<63),
		doubleField("zero", 0),
		doubleField("zero.negative", math.Copysign(0, -1)),
		doubleField("nan", math.NaN()),
		doubleField("infinity", math.Inf(1)),
		doubleField("infinity.negative", math.Inf(-1)),
		textsField("array.empty"),
		textsField("array.text", "a", "", "😀"),
		{attribute.IntSlice("array.int", []int{0, -7}), array(integer, []int64{0, -7})},
		{attribute.Int64Slice("array.int64", big), array(integer, big)},
		{attribute.Float64Slice("array.double", doubles), array(double, doubles)},
		{attribute.BoolSlice("array.bool", []bool{true, false}), array(boolean, []bool{true, false})},
	}
}

// manyFields has more than a span may have.
func manyFields(n int) []field {
	fields := []field{}
	for i := 0; i < n; i++ {
		fields = append(fields, intField(fmt.Sprintf("many.%d", i), int64(i)))
	}
	return fields
}

func given(fields []field) []attribute.KeyValue {
	found := []attribute.KeyValue{}
	for _, one := range fields {
		found = append(found, one.given)
	}
	return found
}

// sent is the attributes on the wire, and how many the limit drops: the newest.
func sent(fields []field) ([][2]any, int) {
	found := [][2]any{}
	for _, one := range fields {
		found = append(found, [2]any{string(one.given.Key), one.sent})
	}
	if len(found) <= limit {
		return found, 0
	}
	return found[:limit], len(found) - limit
}
