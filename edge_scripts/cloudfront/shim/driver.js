
// The stand-in's end (E-29): cases, one JSON a line, through the function above; `ANSWER` lines out.

async function runAll(lines) {
    for (let i = 0; i < lines.length; i++) {
        if (lines[i]) {
            const test = JSON.parse(lines[i]);
            cf.state.store = test.stores;
            cf.state.broken = test.broken || false;
            Date.now = () => test.request.now * 1000;
            const answer = await answerOf(test);
            console.log('ANSWER ' + JSON.stringify(answer));
        }
    }
}

runAll(require('fs').readFileSync(process.argv[2], 'utf8').split('\n')).catch((error) => console.log('THROWN ' + error.stack));
