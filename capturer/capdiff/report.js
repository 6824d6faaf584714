'use strict';
// Search, filters and keys. The page is whole without this: rows open by themselves.
(() => {
    const rows = [...document.querySelectorAll('.list > .x:not(.head)')];
    const list = document.querySelector('.list');
    if (!list)
        return;
    document.documentElement.classList.add('js');

    const texts = new Map();
    const textOf = row => {
        if (!texts.has(row))
            texts.set(row, row.textContent.toLowerCase());
        return texts.get(row);
    };
    const kinds = [
        ['differ', 'differ'], ['unsure', 'not sure'], ['excused', 'as declared'], ['same', 'same'],
        ['aside', 'not by the proxy']];
    let kind = '';

    const tools = document.createElement('div');
    const search = document.createElement('input');
    const shown = document.createElement('small');
    tools.className = 'tools';
    search.type = 'search';
    search.placeholder = 'Search in everything below';
    search.setAttribute('aria-label', 'search');
    tools.append(search);

    const filter = () => {
        const wanted = search.value.toLowerCase();
        let count = 0;
        for (const row of rows) {
            const fits = (!kind || row.classList.contains(kind)) && (!wanted || textOf(row).includes(wanted));
            row.hidden = !fits;
            count += fits;
        }
        shown.textContent = count === rows.length ? '' : count + ' of ' + rows.length;
    };
    const present = kinds.filter(([word]) => rows.some(row => row.classList.contains(word)));
    for (const [word, text] of present.length > 1 ? [['', 'all'], ...present] : []) {
        const button = document.createElement('button');
        button.textContent = text;
        button.setAttribute('aria-pressed', String(word === kind));
        button.addEventListener('click', () => {
            kind = word;
            for (const other of tools.querySelectorAll('button'))
                other.setAttribute('aria-pressed', String(other === button));
            filter();
        });
        tools.append(button);
    }
    tools.append(shown);
    list.before(tools);
    search.addEventListener('input', filter);

    const target = row => row.querySelector('summary') || row;
    const go = step => {
        const seen = rows.filter(row => !row.hidden);
        const at = seen.findIndex(row => row.contains(document.activeElement));
        const next = seen[at < 0 ? (step > 0 ? 0 : seen.length - 1) : at + step];
        if (!next)
            return;
        if (!next.querySelector('summary'))
            next.tabIndex = -1;
        target(next).focus({preventScroll: true});
        target(next).scrollIntoView({block: 'nearest'});
    };
    document.addEventListener('keydown', event => {
        if (event.ctrlKey || event.metaKey || event.altKey)
            return;
        if (event.target === search) {
            if (event.key === 'Escape') {
                search.value = '';
                filter();
            }
            if (event.key === 'Escape' || event.key === 'Enter') {
                search.blur();
                go(1);
            }
            return;
        }
        if (event.key === 'j' || event.key === 'k')
            go(event.key === 'j' ? 1 : -1);
        else if (event.key === '/')
            search.focus();
        else
            return;
        event.preventDefault();
    });

    const openTarget = () => {
        const row = /^#x\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
        if (!row)
            return;
        row.hidden = false;
        row.open = true;
        target(row).focus({preventScroll: true});
        row.scrollIntoView();
    };
    addEventListener('hashchange', openTarget);
    openTarget();
})();
