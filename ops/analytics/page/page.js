// The pictures of the report: rows from the figures for the chosen source and country, drawn by Vega.
'use strict';
(() => {
  const report = JSON.parse(document.getElementById('report').textContent);
  const { figures } = report;
  const dimensions = ['source', 'country'];
  const choice = Object.fromEntries(dimensions.map((name) => [name, document.getElementById(`choose-${name}`)]));
  const chosen = () => Object.fromEntries(dimensions.map((name) => [name, choice[name].value === '' ? null : Number(choice[name].value)]));

  // A table is {column: values}; sources and countries are numbers of names.
  const eachRow = (table, filter, take) => {
    const length = table.number.length;
    for (let row = 0; row < length; row += 1) {
      if (dimensions.every((name) => filter[name] === null || table[name][row] === filter[name])) take(row);
    }
  };

  const thousands = (number) => number.toLocaleString('en-US');
  const percent = (part, whole) => {
    if (!whole) return '–';
    return part > 0 && part / whole < 0.001 ? '< 0.1 %' : `${(100 * part / whole).toFixed(1)} %`;
  };
  const when = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');
  const duration = (seconds) => {
    if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
    const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
    let rest = Math.floor(seconds);
    const first = units.findIndex(([length]) => rest >= length);
    return units.slice(first, first + 2).map(([length, unit]) => {
      const whole = Math.floor(rest / length);
      rest %= length;
      return whole ? `${whole} ${unit}` : '';
    }).filter(Boolean).join(' ');
  };

  const live = (filter) => {
    const { first, step, steps, until } = figures.period;
    const started = new Float64Array(steps), over = new Float64Array(steps);
    let now = 0;
    eachRow(figures.live, filter, (row) => {
      const place = figures.live.step[row];
      if (place === null) { now += figures.live.number[row] - figures.live.over[row]; return; }
      started[place] += figures.live.number[row];
      over[place] += figures.live.over[row];
    });
    const rows = [];
    for (let place = 0; place < steps; place += 1) {
      now += started[place] - over[place];
      const at = Math.min(first + (place + 1) * step, until);
      rows.push({ at: at * 1000, when: when(at), live: now, started: started[place], over: over[place] });
    }
    let peak = rows.reduce((best, row) => (row.live > best.live ? row : best), rows[0] || { live: 0 });
    if (dimensions.every((name) => filter[name] === null) && figures.peak) {
      peak = { at: figures.peak.at_s * 1000, live: figures.peak.live };
    }
    const middle = rows.length ? (rows[0].at + rows[rows.length - 1].at) / 2 : 0;
    const mark = { at: peak.at, live: peak.live, side: peak.at > middle ? 'right' : 'left', label: `peak ${thousands(peak.live)}` };
    return { data: { rows, peak: peak.live ? [mark] : [] }, signals: { ceiling: Math.max(1, peak.live * 1.16) } };
  };

  const customers = () => {
    const rows = [];
    figures.customers.forEach(([day, daily, weekly, monthly], place) => {
      const add = (series, number, needed) => rows.push({
        when: when(day * 86400).slice(0, 10), series, customers: number,
        early: place < needed, full: place >= needed - 1,
      });
      add('Daily', daily, 1);
      add('Weekly', weekly, 7);
      add('Monthly', monthly, 30);
    });
    return { data: { rows }, signals: {} };
  };

  // Cumulative shares over steps of a quarter of a doubling: step s ends at unit * 2 ** (s / 4) seconds.
  const shares = (table, names, filter, unit, exact) => {
    const rows = [], marks = [];
    const end = (step) => unit * 2 ** (step / 4);
    const point = (series, seconds, part, total) => ({ series, seconds, share: part / total, percent: percent(part, total), limit: duration(seconds) });
    let longest = 60;
    names.forEach((series, number) => {
      const steps = new Map();
      let total = 0;
      eachRow(table, filter, (row) => {
        if (table.series[row] !== number) return;
        const step = table.step[row];
        steps.set(step, (steps.get(step) || 0) + table.number[row]);
        total += table.number[row];
      });
      if (!total) return;
      let seen = 0;
      const wanted = [0.5, 0.9, 0.99];
      const ordered = [...steps].sort((one, other) => one[0] - other[0]);
      rows.push(point(series, unit, ordered[0][0] === 0 ? ordered[0][1] : 0, total));
      let last = 0;
      ordered.forEach(([step, many]) => {
        // Where nothing happened in between, the curve is level.
        if (step > last + 1) rows.push(point(series, end(step - 1), seen, total));
        seen += many;
        const seconds = end(step);
        if (step) rows.push(point(series, seconds, seen, total));
        last = step;
        while (wanted.length && seen >= wanted[0] * total) {
          const part = wanted.shift();
          const known = exact && exact(series, part);
          // The dot is where the curve crosses the line; an exact value bends the curve there.
          const rise = many ? (part * total - (seen - many)) / many : 1;
          const place = known ? Math.max(unit, known) : step ? end(step - 1 + rise) : unit;
          const dot = { series, share: part, seconds: place, percent: `p${Math.round(part * 100)}`, limit: duration(known ?? seconds) };
          marks.push(dot);
          rows.push({ ...dot });
        }
      });
    });
    rows.sort((one, other) => one.seconds - other.seconds || one.share - other.share);
    rows.forEach((row) => { longest = Math.max(longest, row.seconds); });
    names.forEach((series) => {
      const last = rows.filter((row) => row.series === series).pop();
      if (last && last.seconds < longest) rows.push({ ...last, seconds: longest, limit: duration(longest) });
    });
    return { data: { rows, marks }, signals: { longest: longest * 1.1 } };
  };

  const exactDuration = (filter) => (series, share) => {
    const key = dimensions.map((name) => (filter[name] === null ? '' : filter[name])).join('/');
    const found = figures.percentiles[`${series}/${key}`];
    return found && found[[0.5, 0.9, 0.99].indexOf(share)];
  };

  const bars = (table, column, names, filter, ignored) => {
    const sums = new Map();
    eachRow(table, ignored ? { ...filter, [ignored]: null } : filter, (row) => {
      const key = table[column][row];
      sums.set(key, (sums.get(key) || 0) + table.number[row]);
    });
    const total = [...sums.values()].reduce((sum, number) => sum + number, 0);
    const rows = [...sums].sort((one, other) => other[1] - one[1] || (names[one[0]] < names[other[0]] ? -1 : 1)).map(([key, number]) => ({
      key, name: names[key], number, percent: percent(number, total),
      label: `${thousands(number)}  ·  ${percent(number, total)}`,
      opacity: !ignored || filter[ignored] === null || filter[ignored] === key ? 1 : 0.35,
    }));
    return { data: { rows }, signals: { longest: Math.max(1, ...rows.map((row) => row.number)) } };
  };

  const { names } = figures;
  const pictures = {
    live,
    customers,
    durations: (filter) => shares(figures.durations, names.measure, filter, 1, exactDuration(filter)),
    'logins-source': (filter) => bars(figures.logins, 'source', names.source, filter, 'source'),
    'logins-country': (filter) => bars(figures.logins, 'country', names.country, filter, 'country'),
    'logins-device': (filter) => bars(figures.logins, 'device', names.device, filter),
    ends: (filter) => bars(figures.ends, 'ending', names.ending, filter),
    lateness: () => shares(figures.lateness, names.event, { source: null, country: null }, 0.01),
  };

  const filled = (part, values) => {
    if (Array.isArray(part)) return part.map((member) => filled(member, values));
    if (part === null || typeof part !== 'object') return values[part] ?? part;
    return Object.fromEntries(Object.entries(part).map(([name, value]) => [name, filled(value, values)]));
  };

  const views = new Map();
  const draw = async (element) => {
    const name = element.dataset.picture;
    const width = element.clientWidth;
    const { data, signals } = pictures[name](chosen());
    const { chart, values } = report.pictures[name];
    const fill = (WIDTH) => filled(report.charts[chart], { ...values, WIDTH, DAYS: figures.customers.map(([day]) => when(day * 86400).slice(0, 10)), HEIGHT: Math.max(1, data.rows.length) * 26 });
    // A picture of several parts has no width of its own: leave room for the axis.
    const spec = chart === 'live' ? fill(width - 60) : { ...fill(width), autosize: { type: 'fit-x', contains: 'padding' } };
    spec.padding = { left: 2, right: 10, top: 4, bottom: 4 };
    if (spec.params) spec.params = spec.params.map((param) => (param.name in signals ? { ...param, value: signals[param.name] } : param));
    spec.datasets = data;
    const old = views.get(element);
    const result = await window.vegaEmbed(element, spec, {
      mode: 'vega-lite', renderer: 'svg', actions: false, logLevel: 1, config: report.config, tooltip: { theme: 'report' },
    });
    if (old) old.finalize();
    views.set(element, result);
    element.dataset.width = String(width);
    const svg = element.querySelector('svg');
    svg.setAttribute('aria-hidden', 'true'); // the figure around it has the text
    const dimension = name.startsWith('logins-') && name.slice(7);
    if (dimension in choice) {
      result.view.addEventListener('click', (event, item) => {
        if (!item || !item.datum || item.datum.key === undefined) return;
        const value = String(item.datum.key);
        choice[dimension].value = choice[dimension].value === value ? '' : value;
        choose();
      });
    }
  };

  const elements = [...document.querySelectorAll('[data-picture]')];
  const drawAll = async (which) => {
    for (const element of which) await draw(element);
  };
  let drawing = Promise.resolve();
  const later = (which) => {
    drawing = drawing.then(() => drawAll(which)).then(() => { document.documentElement.dataset.drawn = String(Date.now()); });
    return drawing;
  };

  const filtered = elements.filter((element) => element.closest('[data-filtered]'));
  const said = document.getElementById('chosen');
  const choose = () => {
    const parts = dimensions.filter((name) => choice[name].value !== '').map((name) => `${name} ${choice[name].selectedOptions[0].textContent}`);
    said.textContent = parts.length ? `Shown: ${parts.join(', ')}` : '';
    document.documentElement.classList.toggle('is-filtered', parts.length > 0);
    return later(filtered);
  };
  dimensions.forEach((name) => choice[name].addEventListener('change', choose));
  document.getElementById('reset').addEventListener('click', () => {
    dimensions.forEach((name) => { choice[name].value = ''; });
    choose();
  });

  let resizing;
  window.addEventListener('resize', () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => later(elements.filter((element) => Number(element.dataset.width) !== element.clientWidth)), 150);
  });
  const form = document.getElementById('filters');
  form.addEventListener('submit', (event) => event.preventDefault());
  form.hidden = false;
  later(elements);
})();
