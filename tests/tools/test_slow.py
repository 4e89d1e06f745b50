"""The chapter's programs from start to end, on the real data: 3000 iterations, a test every 50."""
import csv
import json
import re
import statistics

from support import Case, main, run, write_real_data


class Chapter(Case):
    def train(self, model):
        data = write_real_data(self.folder / 'data', 60000, 10000)
        done = run('train', model, '--data', data, '--out', self.folder / 'out', '--seed', 0, '--rng', 'torch',
                   '--json', self.folder / 'run.json', timeout=3000)
        print(done.stdout)
        lines = re.findall(r'^Iteration: \d+00, Loss: [\d.e-]+, Accuracy: [\d.]+%$', done.stdout, re.M)
        self.assertEqual(len(lines), 6)
        return json.loads((self.folder / 'run.json').read_text())

    def test_dnn(self):
        result = self.train('fashion-dnn')
        for entry, percent in zip(result['history'], [83.21, 84.70, 84.81, 85.73, 86.58, 86.39]):   # chapter 64
            self.assertAlmostEqual(entry['accuracy'], percent, delta=1.5)
        self.assertTrue(0.2 <= result['history'][-1]['loss'] <= 0.36)
        self.assertAlmostEqual(result['eval_mode_accuracy'], 86.76, delta=1.5)                      # chapter 58

    def test_cnn(self):
        result = self.train('fashion-cnn')
        # Chapter 80. Without shuffling a single test swings by more than a point, PyTorch's as well as ours.
        rows = list(csv.DictReader((self.folder / 'out/history.csv').read_text().splitlines()))
        last = [float(row['accuracy']) for row in rows if row['accuracy']][-10:]
        self.assertAlmostEqual(statistics.mean(last), 90.17, delta=1.5)
        self.assertAlmostEqual(result['history'][-1]['accuracy'], 90.17, delta=2.5)
        self.assertTrue(0.05 <= result['history'][-1]['loss'] <= 0.3)
        self.assertEqual(result['num_batches_tracked'], 9000)                                       # chapter 58
        self.assertLessEqual(result['memory_bytes_end'], result['memory_bytes_step10'])


main()
