'use strict';
// Arrow keys in the table, and evidence that opens where a link leads. The page is whole without this.
(() => {
    document.documentElement.classList.add('js');
    const rows = [...document.querySelectorAll('.matrix tbody tr')].map(row => [...row.querySelectorAll('a')]);

    document.addEventListener('keydown', event => {
        if (event.ctrlKey || event.metaKey || event.altKey)
            return;
        const y = rows.findIndex(row => row.includes(document.activeElement));
        if (y < 0)
            return;
        const x = rows[y].indexOf(document.activeElement);
        const next = {
            ArrowUp: () => rows[y - 1]?.[x], ArrowDown: () => rows[y + 1]?.[x],
            ArrowLeft: () => rows[y][x - 1], ArrowRight: () => rows[y][x + 1],
        }[event.key];
        if (!next)
            return;
        next()?.focus();
        event.preventDefault();
    });

    const openTarget = () => {
        const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
        const evidence = target && target.closest('details');
        if (!evidence)
            return;
        evidence.open = true;
        const seen = target === evidence ? evidence.querySelector('summary') : target;
        seen.focus({preventScroll: true});
        seen.scrollIntoView();
    };
    addEventListener('hashchange', openTarget);
    openTarget();
})();
