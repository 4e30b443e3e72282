package flowengine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/call"
)

// moneySettings are an amount that is due, as it is written.
type moneySettings struct {
	Amount call.Amount `yaml:"amount,required"`
	After  Duration    `yaml:"after"`
}

// money returns the rule of a setting; nil where there is none.
func (l *loader) money(c *Check, at string, s *moneySettings) *call.Terms {
	if s == nil {
		return nil
	}
	if s.Amount < 0 {
		c.Problem(at+"/amount", "", "amount: %s is below 0", s.Amount)
	}
	if time.Duration(s.After)%time.Millisecond != 0 {
		c.Problem(at+"/after", "", "after: %s is not a number of milliseconds", time.Duration(s.After))
	}
	return &call.Terms{Sum: call.Sum{Amount: s.Amount, Currency: l.org.Currency}, After: time.Duration(s.After)}
}

// conversionSettings say which calls are conversions.
type conversionSettings struct {
	Connected Duration `yaml:"connected,required"`
}

func (s *conversionSettings) after() *time.Duration {
	if s == nil {
		return nil
	}
	return (*time.Duration)(&s.Connected)
}

// rules returns the attributes that say by which rules a call of the campaign is a
// conversion and is paid for.
func (c *Campaign) rules() map[string]string {
	out := map[string]string{}
	if c.Conversion != nil {
		out["conversion"] = strconv.FormatInt(c.Conversion.Milliseconds(), 10)
	}
	if c.Payout != nil {
		out["payout"] = c.Payout.String()
	}
	return out
}

// currency is the code of a currency.
type currency string

// UnmarshalText wants a code of ISO 4217; it fails with a *SettingError.
func (c *currency) UnmarshalText(text []byte) error {
	code := string(text)
	if !slices.Contains(currencies, code) {
		hint := "write the code of ISO 4217, such as USD"
		if near := DidYouMean(code, currencies); near != "" {
			hint = near
		}
		return &SettingError{Message: "there is no currency " + quote(code), Hint: hint}
	}
	*c = currency(code)
	return nil
}

// currencies are the codes of ISO 4217 that are in use, without funds and metals.
var currencies = strings.Fields(`
	AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
	CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR
	ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
	MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE
	SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF
	YER ZAR ZMW ZWG`)
