package calllog

import (
	"fmt"
	"regexp"
	"strings"
)

// Callers stand in the log as their trunk delivers them: in E.164, with or without its +,
// behind a prefix of calls abroad, or in the national form of North America. The last may
// be a number of another country without its +, and is compared as either.
var (
	e164     = regexp.MustCompile(`^[1-9][0-9]{7,14}$`) // without the +
	abroad   = []string{"00", "011"}
	national = regexp.MustCompile(`^[2-9][0-9]{2}[2-9][0-9]{6}$`)
)

// PlainCaller is how the caller of an input is kept and compared: without a + or a prefix
// of calls abroad.
func PlainCaller(number string) string {
	number, full := strings.CutPrefix(Name(number), "+")
	for _, prefix := range abroad {
		if rest, ok := strings.CutPrefix(number, prefix); ok && !full && e164.MatchString(rest) {
			return rest
		}
	}
	return number
}

// CallersOf returns the callers of inputs that may be for a call of caller, as PlainCaller
// has them; none where the number was withheld.
func CallersOf(caller string) (plain []string) {
	switch number := PlainCaller(caller); {
	case number == "":
		return nil
	case national.MatchString(caller):
		return []string{"1" + number, number}
	default:
		return []string{number}
	}
}

// OfCaller returns the query for the call of organization $1 that an input for a caller
// is for, as PlainCaller has it: the newest that is open, else the newest since $2. The
// arguments from $3 on are returned, too.
func OfCaller(plain string) (query string, args []any) {
	const newest = "SELECT * FROM (SELECT id, n, state, started FROM calls WHERE org = $1 AND ltrim(caller, '+') = $%d%s ORDER BY started DESC, n DESC LIMIT %d) AS k"
	args = []any{plain}
	each := []string{fmt.Sprintf(newest, 3, "", LatestOf)}
	for _, form := range otherForms(plain) {
		args = append(args, form)
		n := len(args) + 2
		each = append(each, fmt.Sprintf(newest, n, fmt.Sprintf(" AND caller = $%d", n), LatestOf)) // with a + it is another number
	}
	return "SELECT id FROM (" + strings.Join(each, " UNION ALL ") + ") AS k WHERE state = 'open' OR started >= $2 ORDER BY state = 'open' DESC, started DESC, n DESC LIMIT 1", args
}

// otherForms returns the forms but E.164 in which a caller may stand in the log.
func otherForms(plain string) (forms []string) {
	if !e164.MatchString(plain) {
		return nil
	}
	for _, prefix := range abroad {
		forms = append(forms, prefix+plain)
	}
	if short, ok := strings.CutPrefix(plain, "1"); ok && national.MatchString(short) {
		forms = append(forms, short)
	}
	return forms
}
