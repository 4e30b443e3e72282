package geo

import "strings"

// FromZIP returns the place of a ZIP code of the US: five digits, or nine with
// or without the hyphen, as a caller may have pressed them. Not ok is what no
// state's mail uses; that includes the freely associated states of the Pacific.
func FromZIP(zip string) (place Place, ok bool) {
	five, four, plus := strings.Cut(zip, "-")
	if !plus && len(zip) == 9 {
		five, four, plus = zip[:5], zip[5:], true
	}
	if len(five) != 5 || plus && len(four) != 4 || strings.Trim(five+four, "0123456789") != "" {
		return Place{}, false
	}
	for _, table := range [][]zips{oddZIPs, prefixes} {
		for _, z := range table {
			if z.first <= five && five[:len(z.last)] <= z.last {
				if z.state == "" {
					return Place{}, false
				}
				return Place{Country: "US", State: z.state, ZIP: five}, true
			}
		}
	}
	return Place{}, false
}

// zips is a range of ZIP codes, by their first digits, and the state they are
// in.
type zips struct{ first, last, state string }

// oddZIPs are in another state than others that begin alike.
var oddZIPs = []zips{
	{"06390", "06390", "NY"}, {"73960", "73960", "TX"}, {"83414", "83414", "WY"}, {"96799", "96799", "AS"},
	{"96939", "96949", ""}, {"96950", "96952", "MP"}, {"96953", "96999", ""}, // Palau, Micronesia, Marshall Islands
}

// prefixes are the first three digits (USPS, Domestic Mail Manual, labeling
// list L002).
var prefixes = []zips{
	{"005", "005", "NY"}, {"006", "007", "PR"}, {"008", "008", "VI"}, {"009", "009", "PR"}, {"010", "027", "MA"},
	{"028", "029", "RI"}, {"030", "038", "NH"}, {"039", "049", "ME"}, {"050", "054", "VT"}, {"055", "055", "MA"},
	{"056", "059", "VT"}, {"060", "069", "CT"}, {"070", "089", "NJ"}, {"090", "099", "AE"}, {"100", "149", "NY"},
	{"150", "196", "PA"}, {"197", "199", "DE"}, {"200", "200", "DC"}, {"201", "201", "VA"}, {"202", "205", "DC"},
	{"206", "212", "MD"}, {"214", "219", "MD"}, {"220", "246", "VA"}, {"247", "268", "WV"}, {"270", "289", "NC"},
	{"290", "299", "SC"}, {"300", "319", "GA"}, {"320", "339", "FL"}, {"340", "340", "AA"}, {"341", "342", "FL"},
	{"344", "344", "FL"}, {"346", "347", "FL"}, {"349", "349", "FL"}, {"350", "352", "AL"}, {"354", "369", "AL"},
	{"370", "385", "TN"}, {"386", "397", "MS"}, {"398", "399", "GA"}, {"400", "418", "KY"}, {"420", "427", "KY"},
	{"430", "459", "OH"}, {"460", "479", "IN"}, {"480", "499", "MI"}, {"500", "516", "IA"}, {"520", "528", "IA"},
	{"530", "532", "WI"}, {"534", "535", "WI"}, {"537", "549", "WI"}, {"550", "551", "MN"}, {"553", "567", "MN"},
	{"570", "577", "SD"}, {"580", "588", "ND"}, {"590", "599", "MT"}, {"600", "620", "IL"}, {"622", "629", "IL"},
	{"630", "631", "MO"}, {"633", "641", "MO"}, {"644", "658", "MO"}, {"660", "662", "KS"}, {"664", "679", "KS"},
	{"680", "681", "NE"}, {"683", "693", "NE"}, {"700", "701", "LA"}, {"703", "708", "LA"}, {"710", "714", "LA"},
	{"716", "729", "AR"}, {"730", "731", "OK"}, {"733", "733", "TX"}, {"734", "741", "OK"}, {"743", "749", "OK"},
	{"750", "770", "TX"}, {"772", "799", "TX"}, {"800", "816", "CO"}, {"820", "831", "WY"}, {"832", "838", "ID"},
	{"840", "847", "UT"}, {"850", "853", "AZ"}, {"855", "857", "AZ"}, {"859", "860", "AZ"}, {"863", "865", "AZ"},
	{"870", "871", "NM"}, {"873", "884", "NM"}, {"885", "885", "TX"}, {"889", "891", "NV"}, {"893", "895", "NV"},
	{"897", "898", "NV"}, {"900", "908", "CA"}, {"910", "928", "CA"}, {"930", "961", "CA"}, {"962", "966", "AP"},
	{"967", "968", "HI"}, {"969", "969", "GU"}, {"970", "979", "OR"}, {"980", "986", "WA"}, {"988", "994", "WA"},
	{"995", "999", "AK"},
}
