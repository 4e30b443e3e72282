package flowengine

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
)

// exprTypes are the types of variables as expr knows them. A number is taken for a
// whole one, which can stand wherever a number can.
var exprTypes = map[VariableType]types.Type{
	AnyType: types.Any, TextType: types.String, NumberType: types.Int, TruthType: types.Bool,
}

// checker returns what expr needs to know to check types over what the nodes leave.
func (s *shared) checker() *conf.Config {
	if s.typed == nil {
		env := types.Map{}
		for _, f := range reflect.VisibleFields(reflect.TypeFor[environment]()) {
			name, value := f.Tag.Get("expr"), reflect.Zero(f.Type)
			switch {
			case name == "":
			case f.Type.Kind() == reflect.Interface:
				env[name] = types.Any
			default:
				env[name] = types.TypeOf(value.Interface())
			}
		}
		for _, space := range []string{"vars", "tags"} {
			known := types.Map{types.Extra: types.Any}
			for v, is := range s.left {
				if v.space == space {
					known[v.name] = exprTypes[is]
				}
			}
			env[space] = known
		}
		s.typed = configure(env)
	}
	return s.typed
}

// mismatch says where an expression makes of a variable what its type does not
// allow; nil for one that could work.
func (s *shared) mismatch(x *expression) *SettingError {
	if !slices.ContainsFunc(x.reads, func(r read) bool { return s.left[r.variable] != AnyType }) {
		return nil // compile has seen all there is to see
	}
	c := s.checker()
	c.Expect, c.ExpectAny = x.want, true
	tree, err := parser.ParseWithConfig(x.source, c)
	if err != nil {
		return exprError(x.source, x.in, err)
	}
	if _, err = checker.Check(tree, c); err == nil {
		return nil
	}
	e := exprError(x.source, x.in, err)
	if textAndNumber.MatchString(e.Message) {
		e.Hint = cmp.Or(s.conversion(x, e.Offset), e.Hint)
	}
	return e
}

// textAndNumber matches expr's words for an operator between a text and a number.
var textAndNumber = regexp.MustCompile(`mismatched types (string and (int|float64)|(int|float64) and string)`)

// conversion says how to make a number of the text that is read nearest to an
// operator.
func (s *shared) conversion(x *expression, operator int) string {
	hint, nearest := "", maxExpression
	for _, r := range x.reads {
		away := max(operator-r.offset, r.offset-operator)
		if s.left[r.variable] == TextType && away < nearest {
			path := r.String()
			hint, nearest = fmt.Sprintf("%s is a text: write int(%s), or put quotes around the number", path, path), away
		}
	}
	return hint
}
