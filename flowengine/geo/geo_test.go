package geo_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hookswitch/hookswitch/flowengine/geo"
)

func TestKnownNumbers(t *testing.T) {
	us := func(state, area string) geo.Place { return geo.Place{Country: "US", State: state, AreaCode: area} }
	canada := func(state, area string) geo.Place {
		return geo.Place{Country: "CA", State: state, AreaCode: area}
	}
	for _, c := range []struct {
		number, country string
		want            geo.Place // none: not ok
	}{
		{"+12125550123", "US", us("NY", "212")},
		{"12125550123", "US", us("NY", "212")},
		{"2125550123", "US", us("NY", "212")},
		{"(212) 555-0123", "US", us("NY", "212")},
		{"+1 312.555.0123", "", us("IL", "312")},
		{"12125550123", "", us("NY", "212")},
		{"+12025550123", "", us("DC", "202")},
		{"+12065550123", "", us("WA", "206")},
		{"+14045550123", "", us("GA", "404")},
		{"+17285550123", "", us("FL", "728")},
		{"+17875550123", "US", us("PR", "787")},
		{"+19395550123", "US", us("PR", "939")},
		{"+13405550123", "US", us("VI", "340")},
		{"+16715550123", "US", us("GU", "671")},
		{"+16705550123", "US", us("MP", "670")},
		{"+16846331234", "US", us("AS", "684")},
		{"+14165550123", "US", canada("ON", "416")},
		{"+15145550123", "US", canada("QC", "514")},
		{"+12575550123", "US", canada("BC", "257")},
		{"+17095550123", "US", canada("NL", "709")},
		{"+19024220000", "US", canada("NS", "902")}, // Halifax
		{"+19025550123", "US", canada("", "902")},   // Nova Scotia or Prince Edward Island
		{"+18676670000", "US", canada("YT", "867")}, // Whitehorse
		{"+18679790000", "US", canada("NU", "867")}, // Iqaluit
		{"+18675550123", "US", canada("", "867")},   // one of three territories
		{"+18764561234", "US", geo.Place{Country: "JM", AreaCode: "876"}},
		{"+442079460000", "US", geo.Place{Country: "GB", AreaCode: "20"}},
		{"442079460000", "US", geo.Place{Country: "GB", AreaCode: "20"}},
		{"00442079460000", "US", geo.Place{Country: "GB", AreaCode: "20"}},
		{"0012125550123", "US", us("NY", "212")},
		{"02079460000", "GB", geo.Place{Country: "GB", AreaCode: "20"}},
		{"+447400123456", "US", geo.Place{Country: "GB"}},
		{"+448001111111", "US", geo.Place{Country: "GB"}},
		{"+493012345678", "US", geo.Place{Country: "DE", AreaCode: "30"}},
		{"+4915112345678", "US", geo.Place{Country: "DE"}},

		{"+18005551212", "US", geo.Place{}},                            // toll-free
		{"+18885551212", "US", geo.Place{}},                            //
		{"+19005551234", "US", geo.Place{}},                            // premium rate
		{"+15005551234", "US", geo.Place{}},                            // personal
		{"+80012345678", "US", geo.Place{}},                            // toll-free, of the world
		{"+12005550123", "US", geo.Place{}},                            // there is no area code 200
		{"+12121550123", "US", geo.Place{}},                            // nor an exchange 155
		{"4930123456", "US", geo.Place{}},                              // Berlin if a + is missing, but it has ten digits
		{"2125550123", "", geo.Place{}},                                // national, of no country
		{"2125550123", "XX", geo.Place{}},                              //
		{"+15550100", "US", geo.Place{}},                               // too short
		{"911", "US", geo.Place{}},                                     //
		{"100", "US", geo.Place{}},                                     //
		{"", "US", geo.Place{}},                                        //
		{"+", "US", geo.Place{}},                                       //
		{"anonymous", "US", geo.Place{}},                               //
		{"Restricted", "US", geo.Place{}},                              //
		{"1-212-555-HELP", "US", geo.Place{}},                          //
		{"alice2125550123", "US", geo.Place{}},                         //
		{"٢١٢٥٥٥٠١٢٣", "US", geo.Place{}},                              //
		{"+1212555012" + strings.Repeat("3", 1000), "US", geo.Place{}}, // too long
	} {
		got, ok := geo.FromNumber(c.number, c.country)
		if got != c.want || ok != (c.want != geo.Place{}) {
			t.Errorf("%s in %q: %+v, %t; want %+v", c.number, c.country, got, ok, c.want)
		}
	}
}

// Every area code of the US has a state, and every one of Canada too, but for
// those that provinces share.
func TestEveryAreaCode(t *testing.T) {
	found := map[string]int{}
	for area := 200; area < 1000; area++ {
		for _, local := range []string{"2345678", "6331234", "5550123"} { // 684 has few exchanges
			place, ok := geo.FromNumber(fmt.Sprintf("+1%d%s", area, local), "")
			if !ok || place.Country != "US" && place.Country != "CA" {
				continue
			}
			found[place.Country]++
			shared := slices.Contains([]int{782, 867, 902}, area)
			if place.State == "" && !shared || place.State != "" && !slices.Contains(geo.States(), place.State) {
				t.Errorf("area code %d: %+v", area, place)
			}
			if want := fmt.Sprint(area); place.AreaCode != want {
				t.Errorf("area code %d: %+v", area, place)
			}
			break
		}
	}
	if found["US"] < 365 || found["CA"] < 55 {
		t.Errorf("found only %v", found)
	}
}

func TestZIPs(t *testing.T) {
	for zip, state := range map[string]string{
		"36104": "AL", "99801": "AK", "85007": "AZ", "72201": "AR", "95814": "CA", "80203": "CO", "06106": "CT", "19901": "DE",
		"20001": "DC", "32301": "FL", "30303": "GA", "96813": "HI", "83702": "ID", "62701": "IL", "46204": "IN", "50309": "IA",
		"66612": "KS", "40601": "KY", "70802": "LA", "04330": "ME", "21401": "MD", "02201": "MA", "48933": "MI", "55102": "MN",
		"39205": "MS", "65101": "MO", "59623": "MT", "68502": "NE", "89701": "NV", "03301": "NH", "08608": "NJ", "87501": "NM",
		"12207": "NY", "27601": "NC", "58501": "ND", "43215": "OH", "73102": "OK", "97301": "OR", "17101": "PA", "02903": "RI",
		"29217": "SC", "57501": "SD", "37219": "TN", "78701": "TX", "84111": "UT", "05602": "VT", "23219": "VA", "98507": "WA",
		"25301": "WV", "53703": "WI", "82001": "WY", // the capitals
		"00901": "PR", "00802": "VI", "96910": "GU", "96799": "AS", "96950": "MP", "34050": "AA", "09012": "AE", "96201": "AP",
		"00501": "NY", "05501": "MA", "06390": "NY", "20101": "VA", "39901": "GA", "73301": "TX", "73960": "TX", "83414": "WY",
		"88510": "TX", "96701": "HI", "99950": "AK",
	} {
		want := geo.Place{Country: "US", State: state, ZIP: zip}
		for _, written := range []string{zip, zip + "-0001", zip + "0001"} {
			if got, ok := geo.FromZIP(written); !ok || got != want {
				t.Errorf("%s: %+v, %t; want %s", written, got, ok, state)
			}
		}
	}
	for _, zip := range []string{"", "1", "1234", "123456", "12345-", "12345-678", "12345-67890", "1234-56789", "1234a", "12345 6789", "-123456789",
		"00000", "00401", "21301", "34301", "53301", "88601", "98701", "96940", "96960", "K1A 0B1", "１２３４５"} {
		if got, ok := geo.FromZIP(zip); ok || got != (geo.Place{}) {
			t.Errorf("%q: %+v, %t", zip, got, ok)
		}
	}
	for prefix := range 1000 {
		zip := fmt.Sprintf("%03d01", prefix)
		if place, ok := geo.FromZIP(zip); ok && !slices.Contains(geo.States(), place.State) {
			t.Errorf("%s: there is no state %s", zip, place.State)
		}
	}
}

func TestLists(t *testing.T) {
	states := geo.States()
	if len(states) != 50+1+5+3+13 || !slices.IsSorted(states) || slices.Contains(states, "") {
		t.Errorf("%d states: %v", len(states), states)
	}
	for name, want := range map[string]string{"New York": "NY", "ontario": "ON", "NY": "", "": ""} {
		if got := geo.StateCode(name); got != want {
			t.Errorf("%q is %q", name, got)
		}
	}
	countries := geo.Countries()
	if !slices.IsSorted(countries) || len(countries) < 200 {
		t.Errorf("%d countries: %v", len(countries), countries)
	}
	for _, code := range []string{"US", "CA", "GB", "DE", "JM"} {
		if !slices.Contains(countries, code) {
			t.Errorf("%s is no country", code)
		}
	}
	for _, code := range []string{"PR", "001", ""} {
		if slices.Contains(countries, code) {
			t.Errorf("%q is a country", code)
		}
	}
}

// Many calls may ask at once, also while the tables are being loaded.
func TestConcurrency(t *testing.T) {
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if i == 0 {
				geo.Warm()
			}
			for area, state := range map[string]string{"212": "NY", "415": "CA", "787": "PR", "306": "SK"} {
				if place, ok := geo.FromNumber("+1"+area+"5550123", "US"); !ok || place.State != state {
					t.Errorf("%s: %+v, %t", area, place, ok)
				}
			}
		})
	}
	all.Wait()
}

// FuzzNumber: whatever is said to be a number, the place is one that exists.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"+12125550123", "2125550123", "+442079460000", "anonymous", "+18005551212", "+390236618300", "", "+", "00000000000"} {
		f.Add(s, "US")
	}
	f.Add("02079460000", "GB")
	states, countries := geo.States(), geo.Countries()
	f.Fuzz(func(t *testing.T, number, country string) {
		place, ok := geo.FromNumber(number, country)
		switch {
		case !ok && place != geo.Place{}:
			t.Errorf("%q: no place, but %+v", number, place)
		case ok && !slices.Contains(countries, place.Country),
			place.State != "" && (place.Country != "US" && place.Country != "CA" || !slices.Contains(states, place.State)),
			strings.Trim(place.AreaCode, "0123456789") != "":
			t.Errorf("%q: %+v", number, place)
		}
	})
}

func BenchmarkFromNumber(b *testing.B) {
	geo.Warm()
	b.ReportAllocs()
	for b.Loop() {
		geo.FromNumber("+12125550123", "US")
	}
}

func BenchmarkFromZIP(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		geo.FromZIP("99950")
	}
}

func Example() {
	caller, ok := geo.FromNumber("+14155550132", "US")
	fmt.Println(caller.Country, caller.State, caller.AreaCode, ok)

	typed, ok := geo.FromZIP("10118")
	fmt.Println(typed.Country, typed.State, typed.ZIP, ok)

	_, ok = geo.FromNumber("+18005551212", "US") // toll-free: anywhere
	fmt.Println(ok)
	// Output:
	// US CA 415 true
	// US NY 10118 true
	// false
}

func TestE164(t *testing.T) {
	for number, want := range map[string]string{
		"+12125550123": "+12125550123", "12125550123": "+12125550123", "2125550123": "+12125550123", "(212) 555-0123": "+12125550123",
		"1-212-555-0123": "+12125550123", "212.555.0123": "+12125550123", "+442079460000": "+442079460000", "442079460000": "+442079460000",
		"1000": "", "anonymous": "", "": "", "+": "", "212555HELP": "", "+1212555012" + strings.Repeat("3", 1000): "",
	} {
		if got, ok := geo.E164(number, "US"); got != want || ok != (want != "") {
			t.Errorf("%.20s: %q, %t; want %q", number, got, ok, want)
		}
	}
}
