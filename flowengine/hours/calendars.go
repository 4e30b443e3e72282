package hours

import (
	"slices"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/hr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/lt"
	"github.com/rickar/cal/v2/lv"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"
)

// calendars is the table of all calendars, as the library has them but where a
// comment says otherwise. Its other countries are left out: their lists are no
// longer the law, or never were for the whole country.
var calendars = map[string]*calendar{
	"at": newCalendar(at.Holidays),
	"au": newCalendar([]*cal.Holiday{au.NewYear, au.AustraliaDay, au.GoodFriday, au.EasterMonday, au.AnzacDay,
		au.ChristmasDay, au.BoxingDay}), // what all states share
	"au-act": newCalendar(au.HolidaysACT), "au-nsw": newCalendar(au.HolidaysNSW), "au-nt": newCalendar(au.HolidaysNT),
	"au-qld": newCalendar(au.HolidaysQLD), "au-sa": newCalendar(au.HolidaysSA), "au-tas": newCalendar(au.HolidaysTAS),
	"au-vic": newCalendar(au.HolidaysVIC), "au-wa": newCalendar(au.HolidaysWA),
	"be": newCalendar(be.Holidays),
	"ca": newCalendar(ca.Holidays, ca.EasterMonday, ca.CivicDay), // general holidays of the Canada Labour Code, s. 166
	// The days of all cantons; the others by name.
	"ch": newCalendar(ch.Holidays, ch.Berchtoldstag, ch.HeiligeDreiKoenige, ch.Josefstag, ch.Karfreitag, ch.Ostermontag,
		ch.TagderArbeit, ch.Pfingstmontag, ch.Fronleichnam, ch.MariaHimmelfahrt, ch.MariaEmpfangnis, ch.ZweiterWeihnachtsfeiertag),
	"cz":    newCalendar(cz.Holidays),
	"de":    newCalendar(de.Holidays),
	"de-bb": newCalendar(de.HolidaysBB), "de-be": newCalendar(de.HolidaysBE), "de-bw": newCalendar(de.HolidaysBW),
	"de-by": newCalendar(de.HolidaysBY), "de-hb": newCalendar(de.HolidaysHB), "de-he": newCalendar(de.HolidaysHE),
	"de-hh": newCalendar(de.HolidaysHH), "de-mv": newCalendar(de.HolidaysMV), "de-ni": newCalendar(de.HolidaysNI),
	"de-nw": newCalendar(de.HolidaysNW), "de-rp": newCalendar(de.HolidaysRP), "de-sh": newCalendar(de.HolidaysSH),
	"de-sl": newCalendar(de.HolidaysSL), "de-sn": newCalendar(de.HolidaysSN), "de-st": newCalendar(de.HolidaysST),
	"de-th": newCalendar(de.HolidaysTH),
	"dk":    newCalendar(dk.Holidays, dk.Grundlovsdag), // which is no day off by law
	"es":    newCalendar(es.Holidays),
	"fr":    newCalendar(fr.Holidays),
	"gb":    newCalendar(gb.Holidays), // England and Wales
	"gr":    newCalendar(gr.Holidays),
	"hr":    newCalendar(hr.Holidays),
	"ie":    newCalendar(ie.Holidays),
	"it":    newCalendar(with(it.Holidays, sanFrancesco)),
	"jp":    newCalendar(jp.Holidays),
	"lt":    newCalendar(lt.Holidays),
	"lv":    newCalendar(lv.Holidays),
	"nl":    newCalendar(nl.Holidays, nl.GoedeVrijdag, nl.BevrijdingsDag), // which most work on
	"no":    newCalendar(no.Holidays),
	"nz":    newCalendar(with(nz.Holidays, matariki)),
	"pl":    newCalendar(with(pl.Holidays, wigilia)),
	"se":    newCalendar(se.Holidays),
	"si":    newCalendar(si.Holidays),
	"us":    newCalendar(us.Holidays, us.DayAfterThanksgivingDay), // federal
	"za":    newCalendar(za.Holidays),
}

// Holidays that the library does not have yet.
var (
	// Legge 151/2025.
	sanFrancesco = &cal.Holiday{Name: "San Francesco d'Assisi", StartYear: 2026, Month: time.October, Day: 4, Func: cal.CalcDayOfMonth}
	// Dz.U. 2024 poz. 1965.
	wigilia = &cal.Holiday{Name: "Wigilia Bożego Narodzenia", StartYear: 2025, Month: time.December, Day: 24, Func: cal.CalcDayOfMonth}
	// Te Kāhui o Matariki Public Holiday Act 2022, schedule 1, which ends in 2052.
	matariki = &cal.Holiday{Name: "Matariki", StartYear: 2022, EndYear: 2052, Func: func(_ *cal.Holiday, year int) time.Time {
		d := matarikiDays[year-2022] // month*100+day
		return time.Date(year, time.Month(d/100), d%100, 0, 0, 0, 0, time.UTC)
	}}
	matarikiDays = [...]int{624, 714, 628, 620, 710, 625, 714, 706, 621, 711, 702, 624, 707, 629, 718, 710, 625, 715, 706, 719,
		711, 703, 624, 707, 629, 719, 703, 625, 715, 630, 621}
)

func with(holidays []*cal.Holiday, more ...*cal.Holiday) []*cal.Holiday {
	return append(slices.Clip(holidays), more...)
}
