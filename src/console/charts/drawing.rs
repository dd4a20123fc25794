//! Draws series over days as SVG.
//!
//! The colours are attributes that the style sheet replaces (by light or dark), because the policy of the pages allows no
//! style in a document. A drawing holds no text but numbers and days.

use anyhow::{Result, anyhow};
use jiff::civil::Date;
use plotters::prelude::*;

const SIZE: (u32, u32) = (640, 220);
/// As in the light colours of the style sheet, which names them again.
const COLOURS: [RGBColor; 4] =
    [RGBColor(23, 100, 95), RGBColor(180, 87, 12), RGBColor(91, 75, 176), RGBColor(163, 38, 27)];
const GRID: RGBColor = RGBColor(217, 223, 220);
const INK: RGBColor = RGBColor(85, 98, 94);

/// What the values are, and how they stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Bars on top of each other.
    StackedCounts,
    /// Lines.
    Counts,
    /// Lines of milliseconds, on a logarithmic scale.
    Durations,
}

#[derive(Debug)]
pub(super) struct Drawing<'a> {
    pub(super) days: &'a [Date],
    pub(super) series: &'a [Vec<Option<f64>>],
    pub(super) scale: Scale,
}

impl Drawing<'_> {
    pub(super) fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| anyhow!("a chart could not be drawn: {error}"))?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let days = self.days.len() as f64;
        let mut chart = ChartBuilder::on(&root)
            .margin(6)
            .x_label_area_size(22)
            .y_label_area_size(52)
            .build_cartesian_2d(-0.6..days - 0.4, self.lowest()..self.highest())?;
        let day = |at: &f64| match (at.fract().abs() < 1e-9).then(|| self.days.get(*at as usize)).flatten() {
            Some(day) if *at >= 0.0 => day.strftime("%d %b").to_string(),
            _ => String::new(),
        };
        let value = |value: &f64| match self.scale {
            Scale::Durations => duration(10_f64.powf(*value)),
            _ if value.fract() == 0.0 => format!("{value:.0}"),
            _ => String::new(),
        };
        let text = ("sans-serif", 15).into_font().color(&INK);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(8)
            .y_labels(5)
            .x_label_formatter(&day)
            .y_label_formatter(&value)
            .label_style(text)
            .axis_style(GRID)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .draw()?;
        let mut bases = vec![0.0; self.days.len()];
        for (series, colour) in self.series.iter().zip(COLOURS) {
            if self.scale == Scale::StackedCounts {
                let bars = series.iter().zip(&mut bases).enumerate().filter_map(|(at, (value, base))| {
                    let (from, to) = (*base, *base + (*value)?);
                    *base = to;
                    let at = at as f64;
                    (to > from).then(|| Rectangle::new([(at - 0.36, from), (at + 0.36, to)], colour.filled()))
                });
                chart.draw_series(bars)?;
                continue;
            }
            for line in self.lines(series) {
                chart.draw_series(line.iter().map(|point| Circle::new(*point, 3, colour.filled())))?;
                chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
            }
        }
        root.present()?;
        Ok(())
    }

    /// The parts of a series between its gaps.
    fn lines(&self, series: &[Option<f64>]) -> Vec<Vec<(f64, f64)>> {
        let points: Vec<Option<(f64, f64)>> =
            series.iter().enumerate().map(|(at, value)| Some((at as f64, self.height((*value)?)))).collect();
        let parts = points.split(Option::is_none).filter(|part| !part.is_empty());
        parts.map(|part| part.iter().copied().flatten().collect()).collect()
    }

    fn height(&self, value: f64) -> f64 {
        if self.scale == Scale::Durations { value.max(1.0).log10() } else { value }
    }

    fn lowest(&self) -> f64 {
        let least =
            self.series.iter().flatten().flatten().map(|value| self.height(*value)).fold(f64::INFINITY, f64::min);
        if self.scale == Scale::Durations && least.is_finite() { least.floor() } else { 0.0 }
    }

    fn highest(&self) -> f64 {
        let at = |at: usize| self.series.iter().filter_map(move |series| series[at]);
        let most = (0..self.days.len()).map(|day| match self.scale {
            Scale::StackedCounts => at(day).sum::<f64>(),
            _ => at(day).map(|value| self.height(value)).fold(0.0, f64::max),
        });
        let most = most.fold(0.0, f64::max);
        match self.scale {
            Scale::Durations => most.ceil().max(self.lowest() + 1.0),
            _ => (most * 1.1).max(4.0),
        }
    }
}

/// Milliseconds in the unit that fits.
pub(super) fn duration(milliseconds: f64) -> String {
    match milliseconds {
        ..1_000.0 => format!("{milliseconds:.0} ms"),
        ..60_000.0 => format!("{:.1} s", milliseconds / 1e3),
        ..3_600_000.0 => format!("{:.0} min", milliseconds / 6e4),
        _ => format!("{:.0} h", milliseconds / 3.6e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_has_no_style_and_no_colour_that_the_style_sheet_does_not_know() {
        let days: Vec<Date> = (1..=28).map(|day| Date::new(2026, 11, day).unwrap()).collect();
        let series: Vec<Vec<Option<f64>>> =
            (1..=4).map(|of| (0..28).map(|at| (at % 9 != 3).then_some(f64::from(at * of * 40))).collect()).collect();
        let style = include_str!("../assets/style.css");
        for scale in [Scale::StackedCounts, Scale::Counts, Scale::Durations] {
            let svg = Drawing { days: &days, series: &series, scale }.svg().unwrap();
            assert!(svg.starts_with("<svg ") && !svg.contains("style") && !svg.contains("<script"), "{svg}");
            for attribute in
                svg.split(' ').filter(|part| part.starts_with("fill=\"#") || part.starts_with("stroke=\"#"))
            {
                let attribute = attribute.trim_end_matches(['/', '>', '\n']).split('>').next().unwrap();
                assert!(style.contains(&format!("[{attribute}]")), "{attribute} is not in the style sheet");
            }
        }
    }

    #[test]
    fn days_without_figures_are_gaps_and_no_figures_are_no_error() {
        let days = [Date::new(2026, 11, 1).unwrap(), Date::new(2026, 11, 2).unwrap(), Date::new(2026, 11, 3).unwrap()];
        let drawing = Drawing { days: &days, series: &[vec![Some(1.0), None, Some(2.0)]], scale: Scale::Counts };
        assert_eq!(drawing.lines(&drawing.series[0]).len(), 2);
        let empty = Drawing { days: &days, series: &[vec![None; 3]], scale: Scale::Durations };
        assert!(empty.svg().unwrap().starts_with("<svg "));
    }
}
